"""What a gate looks at: one item with its evidence, read once, so that each check is a pure function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from careplane.alignment.checks import Study, metric_checks, path_checks, studies
from careplane.alignment.decisions import decisions
from careplane.alignment.overlap import LookAlike, look_alikes
from careplane.alignment.register import load_item
from careplane.change import Panel, ThreeQuestions, find_requests, panel, three_questions
from careplane.evidence.quality import adjudicated_rates, find_adjudications
from careplane.records.downtime import Drill
from careplane.records.evidence import Effect, Result
from careplane.records.money import AimCell, Value
from careplane.records.people import Request
from careplane.records.portfolio import DecisionItem, GateCheck, RegisterItem
from careplane.records.quality import Rate
from careplane.store import Store
from careplane.workflow.drill import last_drill

USE_TARGET = 0.20
"""Share of eligible events in which the app is used, where the plan names none; published uptake is 0.20 to 0.57."""


@dataclass(frozen=True, slots=True)
class Case:
    """One item before a gate. ``None`` means not measured."""

    item: RegisterItem
    today: date
    path: dict[str, bool]
    metrics: dict[str, bool]
    decisions: Sequence[DecisionItem]
    look_alikes: Sequence[LookAlike]
    panel: Panel
    requests: Sequence[Request]
    study: Study
    questions: ThreeQuestions
    value: Value | None
    aims: Sequence[AimCell] | None
    trained_share: float | None
    use_target: float
    drill: Drill | None = None
    errors: Rate | None = None

    @property
    def result(self) -> Result | None:
        return self.study.result

    def effects(self, role: str) -> list[Effect]:
        """The measured effects of a role of the plan."""
        return [effect for effect in self.result.effects if effect.role == role] if self.result else []


Check = Callable[[Case], GateCheck]


def read_case(
    store: Store,
    item_id: str,
    today: date,
    *,
    result: Result | None = None,
    value: Value | None = None,
    questions: ThreeQuestions | None = None,
    trained_share: float | None = None,
    aims: Sequence[AimCell] | None = None,
    use_target: float = USE_TARGET,
) -> Case:
    """Read what the gates need. What is given wins over what the store holds.

    Raises:
        NotFound: the item is not on the register.
    """
    item = load_item(store, item_id)
    study = studies(store).get(item.id, Study())
    if result is not None:
        study = Study(study.plan, result)
    own = [one for one in decisions(store, today, open_only=False) if one.item == item.id]
    return Case(
        item=item,
        today=today,
        path=path_checks(item, today, own),
        metrics=metric_checks(item, study, today),
        decisions=own,
        look_alikes=look_alikes(store, item),
        panel=panel(store, item.id),
        requests=find_requests(store, item.id),
        study=study,
        questions=questions or three_questions(store, item.id),
        value=value,
        aims=aims,
        trained_share=trained_share,
        use_target=use_target,
        drill=last_drill(store, item.id),
        errors=_errors(store, item),
    )


def _errors(store: Store, item: RegisterItem) -> Rate | None:
    """Errors per 100 outputs of the registered version, as people settled them."""
    rates = adjudicated_rates(find_adjudications(store, item.id, item.app_hash))
    return rates[0] if rates else None


def answer(name: str, passed: bool | None, text: str, link: str = "") -> GateCheck:
    """One line of a gate; ``None`` is not measured."""
    return GateCheck(
        name=name, status="not_measured" if passed is None else "pass" if passed else "fail", text=text, link=link
    )
