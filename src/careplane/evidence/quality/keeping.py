"""Evaluations, comparisons and calibrations in the store: written once, read newest first."""

from collections.abc import Collection
from difflib import get_close_matches

from sqlalchemy import select

from careplane.errors import InputError, NotFound
from careplane.records.quality import Adjudication, Calibration, Comparison, Evaluation, Verdict
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store import tables as t


def keep_evaluation(store: Store, made: Evaluation) -> None:
    """Keep an evaluation."""
    with store.write() as connection:
        insert_new(
            connection,
            t.quality_evaluations,
            made,
            id=made.id,
            app=made.app,
            hash=made.hash,
            model=made.model,
            at=stamp(made.at),
        )


def find_evaluations(store: Store, app: str, limit: int | None = None) -> list[Evaluation]:
    """The evaluations of an app, newest first."""
    table = t.quality_evaluations
    with store.read() as connection:
        return find(
            connection, table, Evaluation, table.c.app == app, order_by=(table.c.at.desc(), table.c.id), limit=limit
        )


def find_evaluation(store: Store, app: str, name: str) -> Evaluation:
    """An evaluation by its id, or the newest of a version, of ``version@model`` or the start of a hash.

    Raises:
        NotFound: there is none; names those there are.
    """
    every = find_evaluations(store, app)
    for one in every:
        if name in (one.id, one.version, one.label) or (len(name) >= 8 and one.hash.startswith(name)):
            return one
    known = list(dict.fromkeys(one.label for one in every))
    near = get_close_matches(name, known, n=3, cutoff=0.3) or known[:3]
    hint = f"There are: {', '.join(near)}." if near else f"Make one: careplane quality evaluate {app}"
    raise NotFound(f"{app} has no evaluation {name!r}. {hint}")


def keep_comparison(store: Store, made: Comparison) -> None:
    """Keep a comparison."""
    with store.write() as connection:
        columns = {"id": made.id, "app": made.app, "at": stamp(made.at), "verdict": made.verdict}
        insert_new(connection, t.quality_comparisons, made, **columns)


def find_comparisons(store: Store, app: str) -> list[Comparison]:
    """The comparisons of an app, newest first."""
    table = t.quality_comparisons
    with store.read() as connection:
        return find(connection, table, Comparison, table.c.app == app, order_by=(table.c.at.desc(), table.c.id))


def apps_regressed(store: Store, apps: Collection[str]) -> set[str]:
    """Those of some apps of which any comparison found that something got worse; one look, which is mostly empty."""
    table = t.quality_comparisons
    with store.read() as connection:
        where = (table.c.app.in_(sorted(apps)), table.c.verdict == "regressed")
        return set(connection.execute(select(table.c.app).where(*where).distinct()).scalars())


def keep_calibration(store: Store, made: Calibration) -> None:
    """Keep a calibration."""
    with store.write() as connection:
        columns = {"id": made.id, "app": made.app, "judge": made.judge, "at": stamp(made.at)}
        insert_new(connection, t.quality_calibrations, made, **columns)


def find_calibrations(store: Store, app: str) -> list[Calibration]:
    """The calibrations of an app's judges, newest first."""
    table = t.quality_calibrations
    with store.read() as connection:
        return find(connection, table, Calibration, table.c.app == app, order_by=(table.c.at.desc(), table.c.id))


def keep_verdict(store: Store, made: Verdict) -> None:
    """Keep what a judge said of an output; the newest counts."""
    with store.write() as connection:
        save(connection, t.quality_verdicts, made, judge=made.judge, output=made.output, app=made.app)


def find_verdicts(store: Store, app: str, judge: str) -> dict[str, Verdict]:
    """What a judge said, by output."""
    table = t.quality_verdicts
    with store.read() as connection:
        found = find(connection, table, Verdict, table.c.app == app, table.c.judge == judge)
    return {one.output: one for one in found}


def find_adjudications(store: Store, app: str, hash_: str | None = None) -> list[Adjudication]:
    """What people settled of an app's outputs, oldest first; of one version, or of all."""
    table = t.adjudications
    with store.read() as connection:
        found = find(connection, table, Adjudication, table.c.app == app, order_by=(table.c.at, table.c.output))
    return [one for one in found if hash_ is None or one.hash == hash_]


def find_adjudication(store: Store, sample: str, output: str) -> Adjudication | None:
    """What an output holds for good, once it is settled."""
    table = t.adjudications
    with store.read() as connection:
        return fetch(connection, table, Adjudication, table.c.sample == sample, table.c.output == output)


def apps_with_quality(store: Store) -> list[str]:
    """The apps of which anything of quality is kept."""
    with store.read() as connection:
        rows = [
            connection.execute(select(table.c.app).distinct()).scalars()
            for table in (t.quality_evaluations, t.quality_samples)
        ]
        return sorted({name for row in rows for name in row})


def must_be_apart(names: tuple[str, ...]) -> None:
    """Readers and adjudicator are different people.

    Raises:
        InputError: one stands twice, or a name is empty.
    """
    if not all(name.strip() for name in names) or len(set(names)) != len(names):
        raise InputError("Two readers and an adjudicator are three different people.", field="readers")
