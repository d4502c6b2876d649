"""``careplane plan wizard | draft``: which design can answer for a roll-out, and the draft of its plan."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from careplane.cli.opened import HOME, JSON, opened, print_json
from careplane.cli.plan_text import plan_lines
from careplane.errors import InputError
from careplane.evidence import save_draft
from careplane.evidence.advice import advise, plan_from
from careplane.evidence.baseline import baseline_spread
from careplane.evidence.people_units import staffed_units
from careplane.evidence.questions import QUESTIONS, Question, rollout_of, units_text, value_of
from careplane.evidence.windows import offset_minutes
from careplane.measures import Measure
from careplane.records.app import App
from careplane.records.planning import Advice, Spread
from careplane.server.platform import Platform

MOST_BYTES = 1_000_000
Answers = dict[str, Any]


def _asked_by_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each question."""
    for one in reversed(QUESTIONS):
        told = one.text if not one.choices else f"{one.text} {', '.join(one.choices)}."
        option = click.option(f"--{one.name.replace('_', '-')}", one.name, metavar=one.kind.upper(), help=told)
        command = option(command)
    return command


@click.command("wizard")
@click.argument("app_id", metavar="APP")
@click.option("--answers", type=click.Path(path_type=Path), help="A YAML file of answers; options go before it.")
@click.option("--yes", "take_defaults", is_flag=True, help="Ask nothing: take the default of what is not answered.")
@click.option("--from-data", is_flag=True, help="Spread and history of the outcome from the loaded data.")
@click.option("--draft", "design", metavar="DESIGN", help="Write the plan with this design (first: the recommended).")
@_asked_by_options
@HOME
@JSON
def wizard(
    app_id: str,
    answers: Path | None,
    take_defaults: bool,
    from_data: bool,
    design: str | None,
    home: str | None,
    as_json: bool,
    **options: str | None,
) -> None:
    """Find the design that can answer for a roll-out.

    Asks one question after the other; or give the answers as options or in a
    file, and --yes. Shows the designs that can answer, with grade, power, time
    and cost, and says of the others why not and what would help.

    \b
    Example:
      careplane plan wizard portal_reply
      careplane plan wizard portal_reply --answers rollout.yaml --json
      careplane plan wizard portal_reply --answers rollout.yaml --draft first
    """
    with opened(home) as platform:
        app = platform.app(app_id)
        given = _given(answers, options)
        asks = not take_defaults and answers is None and not as_json
        told = _answered(platform, given, asks=asks)
        measure = primary_measure(platform.measures, app)
        spread = _from_data(platform, measure, told) if from_data else None
        rollout = rollout_of(app.id, told, spread)
        info = measure.info if measure else None
        advice = advise(rollout, info, platform.estimators["power"])
        plan = None
        if design is not None:
            infos = [one.info for one in platform.measures.values()]
            chosen = advice.first.design if design == "first" else design
            plan = save_draft(
                platform.store,
                plan_from(app, infos, rollout, advice, chosen, offset_minutes(platform.clock())),
            )
    if as_json:
        print_json({"advice": advice, "rollout": rollout, "plan": plan})
        return
    for line in [*advice_lines(advice), *(["", *plan_lines(plan)] if plan else [])]:
        click.echo(textwrap.fill(line, 79, subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2)))
    if plan is not None:
        click.echo(f"\nLock it before the start: careplane plan lock {plan.id} --by NAME")


def primary_measure(measures: Mapping[str, Measure], app: App) -> Measure | None:
    """The first primary measure of an app that is on the shelf."""
    return next((measures[name] for name in app.spec.measures.primary if name in measures), None)


def advice_lines(advice: Advice) -> list[str]:
    """The advice as lines: the recommended design, the others, those that cannot answer, and the power."""
    lines = [f"Recommended: {advice.sentence}", *(f"  + {one}" for one in advice.first.reasons)]
    lines += [f"  ! {one}" for one in advice.first.limits]
    lines += [f"  Power: {advice.power}", ""]
    lines += ["grade  detects      weeks for it  design"]
    for one in advice.options:
        found = "not computed" if one.detectable is None else f"{one.detectable:.3g} {advice.unit}"
        beyond = "not computed" if one.detectable is None else "over 104"
        weeks = beyond if one.weeks_for_mcid is None else str(one.weeks_for_mcid)
        cost = "" if one.usd is None else f", {one.usd:,.0f} USD"
        lines.append(f"{one.grade:<6} {found:<12} {weeks:<13} {one.design}{cost}")
    if advice.points:
        lines += ["", f"Smallest effect found ({advice.first.design}), by weeks and units"]
        lines += [
            f"  {point.clusters:>5} units {point.weeks:>4} weeks  "
            + ("not computed" if point.detectable is None else f"{point.detectable:.3g} {advice.unit}")
            + ("" if point.usd is None else f"  {point.usd:,.0f} USD")
            for point in advice.points
        ]
    lines += ["", "Cannot answer here"]
    lines += [f"  {one.design}: {one.refused} {one.way_out}" for one in advice.refused]
    return lines


def _given(path: Path | None, options: Mapping[str, str | None]) -> Answers:
    """Answers of the file, and those of the options before it."""
    answers: Answers = {} if path is None else _read(path)
    for one in QUESTIONS:
        text = options.get(one.name)
        if text is not None:
            answers[one.name] = value_of(one, text)
    return answers


def _answered(platform: Platform, given: Answers, *, asks: bool) -> Answers:
    """All answers: those given, then what is asked, then the defaults."""
    answers = dict(given)
    for one in QUESTIONS:
        if one.name in answers:
            continue
        default = units_text(staffed_units(platform.store)) if one.kind == "units" else one.default
        if asks:
            answers[one.name] = _ask(one, default)
        elif one.kind == "units" or one.default is not None:
            answers[one.name] = value_of(one, default or "")
        elif one.kind == "day":
            raise InputError("is needed: --start YYYY-MM-DD, or in the file of answers", field=one.name)
    return answers


def _ask(question: Question, default: str | None) -> Any:
    """Ask until the answer is one."""
    beside = question.help or ", ".join(question.choices)
    text = f"{question.text} ({beside})" if beside else question.text
    while True:
        shown = default if default is not None or question.kind != "number" else ""
        said = click.prompt(text, default=shown, show_default=bool(shown), err=True)
        try:
            return value_of(question, str(said))
        except InputError as error:
            click.echo(f"  {error.message}", err=True)


def _from_data(platform: Platform, measure: Measure | None, answers: Answers) -> Spread | None:
    """Spread and weeks of history from the loaded data; the weeks go into the answers unless they were given."""
    if measure is None:
        return None
    units = [unit for named in answers["units"].values() for unit in named]
    offset = offset_minutes(platform.clock())
    spread, weeks = baseline_spread(platform.home, measure, units, answers["start"], offset)
    answers["history_weeks"] = max(int(answers.get("history_weeks") or 0), weeks)
    return spread


def _read(path: Path) -> Answers:
    try:
        text = path.read_bytes()
        if len(text) > MOST_BYTES:
            raise InputError(f"is larger than {MOST_BYTES:,} bytes", file=path)
        given = yaml.load(text.decode("utf-8"), Loader=_OnceLoader)  # noqa: S506 - a safe loader of ours
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        told = getattr(error, "problem", None) or "is not YAML"
        raise InputError(str(told), file=path, line=mark.line + 1 if mark else None) from error
    if not isinstance(given, dict):
        raise InputError("must be a table of questions and answers", file=path)
    return {str(name): _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    """Lists as tuples, as the records have them."""
    return msgspec.to_builtins(value) if isinstance(value, dict | list) else value


class _OnceLoader(yaml.SafeLoader):
    """YAML in which a key stands once: a stratum that is named twice would lose units."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is named twice", problem_mark=key.start_mark)
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found
