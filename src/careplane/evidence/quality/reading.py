"""The double read: two readers who do not see each other's marks, and a third who settles what they disagree on.

A reader sees neither the model nor the version. Outputs on which both found the same errors are settled at once; the
others wait for the adjudicator. What is settled is what measure M18 counts.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.evidence.quality.errors import counted
from careplane.evidence.quality.keeping import find_adjudication, must_be_apart
from careplane.evidence.quality.rubric import check_scores, rubric_of
from careplane.evidence.quality.sampling import Draw
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.quality import Adjudication, Harm, Mark, Reading, Sample, Sampled
from careplane.records.run import Run
from careplane.store import Store, fetch, find, insert_new, stamp
from careplane.store import tables as t
from careplane.workflow import load_run

HARMS: tuple[Harm, ...] = ("none", "unknown", "mild", "moderate", "severe", "death")
AGREED = "agreed"
MOST_MARKS = 50
MOST_NOTE = 500


def assign(
    store: Store,
    ledger: Ledger,
    app: App,
    draws: Sequence[Draw],
    readers: tuple[str, str],
    adjudicator: str,
    seed: int,
    by: str,
    at: datetime,
) -> Sample:
    """Give a draw to two readers and an adjudicator.

    Raises:
        InputError: they are not three different people, or an output was written by the review of one of them.
    """
    must_be_apart((*readers, adjudicator))
    signers = {one.run.review.by for one in draws if one.run.review is not None}
    own = sorted(signers & {*readers, adjudicator})
    if own:
        raise InputError(f"{own[0]} signed an output of this draw; choose somebody who did not.", field="readers")
    rubric = rubric_of(app)
    population = sum({one.stratum: one.stratum_size for one in draws}.values())
    sample = Sample(
        id=f"sample-{uuid4().hex[:12]}",
        app=app.id,
        drawn_at=at,
        drawn_by=by,
        readers=readers,
        adjudicator=adjudicator,
        population=population,
        size=len(draws),
        seed=seed,
        rubric=rubric,
    )
    with store.write() as connection:
        insert_new(connection, t.quality_samples, sample, id=sample.id, app=app.id, at=stamp(at))
        for n, one in enumerate(draws, start=1):
            row = _sampled(sample, one, n)
            insert_new(connection, t.quality_sampled, row, sample=sample.id, output=row.output, n=n)
        ledger.append(
            "quality.sampled",
            at=at,
            app=app.id,
            actor=by,
            facts={"sample": sample.id, "size": sample.size, "population": population, "seed": seed},
        )
    return sample


def _sampled(sample: Sample, one: Draw, n: int) -> Sampled:
    run = one.run
    return Sampled(
        sample=sample.id,
        output=run.id,
        n=n,
        app=run.app,
        version=run.app_version,
        hash=run.app_hash,
        model="+".join(sorted({call.model for call in run.calls})) or "none",
        stratum=one.stratum,
        stratum_size=one.stratum_size,
        probability=one.probability,
    )


def find_samples(store: Store, app: str | None = None) -> list[Sample]:
    """The samples, newest first."""
    table = t.quality_samples
    where = () if app is None else (table.c.app == app,)
    with store.read() as connection:
        return find(connection, table, Sample, *where, order_by=(table.c.at.desc(), table.c.id))


def load_sample(store: Store, ident: str) -> Sample:
    """A sample.

    Raises:
        NotFound: there is none of this id.
    """
    with store.read() as connection:
        found = fetch(connection, t.quality_samples, Sample, t.quality_samples.c.id == ident)
    if found is None:
        raise NotFound(f"There is no sample {ident!r}.")
    return found


def find_sampled(store: Store, sample: str) -> list[Sampled]:
    """The outputs of a sample in the order they are read."""
    table = t.quality_sampled
    with store.read() as connection:
        return find(connection, table, Sampled, table.c.sample == sample, order_by=(table.c.n,))


def load_sampled(store: Store, sample: str, n: int) -> tuple[Sampled, Run]:
    """An output of a sample by its number, with its run.

    Raises:
        NotFound: the sample has no such number.
    """
    table = t.quality_sampled
    with store.read() as connection:
        found = fetch(connection, table, Sampled, table.c.sample == sample, table.c.n == n)
    if found is None:
        raise NotFound(f"Sample {sample!r} has no output {n}.")
    return found, load_run(store, found.output)


def own_readings(store: Store, sample: str, reader: str) -> dict[str, Reading]:
    """What one reader read of a sample, by output. Nobody else's marks come through here."""
    table = t.quality_readings
    with store.read() as connection:
        found = find(connection, table, Reading, table.c.sample == sample, table.c.reader == reader)
    return {one.output: one for one in found}


def pairs(store: Store, sample: Sample) -> dict[str, tuple[Reading, Reading]]:
    """Both readings of each output that both have read, in the order of the sample's readers."""
    first, second = (own_readings(store, sample.id, reader) for reader in sample.readers)
    return {output: (first[output], second[output]) for output in first if output in second}


def readings_to_settle(store: Store, sample: Sample, output: str, who: str) -> tuple[Reading, Reading]:
    """Both readings of an output, for the adjudicator alone and not before both are there.

    Raises:
        Refused: ``who`` is not the adjudicator, or somebody has not read it yet.
    """
    if who != sample.adjudicator:
        raise Refused(
            ["The marks of others are not shown to readers."], "The adjudicator of this sample settles what they find."
        )
    found = pairs(store, sample).get(output)
    if found is None:
        raise Refused(["Not both readers have read this output yet."], "Settle it when both have.")
    return found


def keep_reading(store: Store, ledger: Ledger, reading: Reading) -> Adjudication | None:
    """Keep what a reader saw; gives what is settled by it, where both readers found the same.

    Raises:
        Refused: the sample was not given to this reader.
        InputError: a score or a mark that cannot be.
        Conflict: this reader has read this output already.
        NotFound: the output is not in the sample.
    """
    sample = load_sample(store, reading.sample)
    if reading.reader not in sample.readers:
        raise Refused([f"{reading.reader} is no reader of this sample."], "Its readers were chosen when it was drawn.")
    row = next((one for one in find_sampled(store, sample.id) if one.output == reading.output), None)
    if row is None:
        raise NotFound(f"Sample {sample.id} holds no such output.")
    check_scores(sample.rubric, reading.scores)
    _check_marks(load_run(store, reading.output), reading.marks)
    with store.write() as connection:
        key = {"sample": sample.id, "output": reading.output, "reader": reading.reader}
        if not insert_new(connection, t.quality_readings, reading, **key, at=stamp(reading.at)):
            raise Conflict("You have read this output already, and a reading is not changed afterwards.")
        ledger.append(
            "quality.read",
            at=reading.at,
            run=reading.output,
            app=sample.app,
            actor=ledger.pseudonym(reading.reader),
            facts={"sample": sample.id, "marks": len(reading.marks)},
        )
    both = pairs(store, sample).get(reading.output)
    if both is None or not same_errors(*both):
        return None
    return _settled(store, ledger, row, both[0], both, AGREED, reading.at)


def same_errors(first: Reading, second: Reading) -> bool:
    """Whether two readers found the same classes of errors, each as often."""
    return Counter(mark.kind for mark in first.marks) == Counter(mark.kind for mark in second.marks)


def settle(
    store: Store, ledger: Ledger, sample: Sample, output: str, marks: tuple[Mark, ...], by: str, at: datetime
) -> Adjudication:
    """Decide what an output holds on which the readers disagree.

    Raises:
        Refused: ``by`` is not the adjudicator, or not both have read it.
        InputError: a mark that cannot be.
        Conflict: it is settled already.
    """
    both = readings_to_settle(store, sample, output, by)
    row = next(one for one in find_sampled(store, sample.id) if one.output == output)
    _check_marks(load_run(store, output), marks)
    decided = Reading(sample=sample.id, output=output, reader=by, at=at, marks=marks, scores={})
    return _settled(store, ledger, row, decided, both, by, at)


def _settled(
    store: Store,
    ledger: Ledger,
    row: Sampled,
    decided: Reading,
    both: tuple[Reading, Reading],
    by: str,
    at: datetime,
) -> Adjudication:
    scores = {name: (both[0].scores[name] + both[1].scores[name]) / 2 for name in both[0].scores}
    counts = counted(decided.marks)
    made = Adjudication(
        sample=row.sample,
        output=row.output,
        run=row.output,
        app=row.app,
        version=row.version,
        hash=row.hash,
        model=row.model,
        reader=by,
        at=at,
        marks=decided.marks if by != AGREED else _worse(*both),
        scores=scores,
        probability=row.probability,
        stratum=row.stratum,
        stratum_size=row.stratum_size,
        fabrications=counts["fabrications"],
        omissions=counts["omissions"],
        inaccuracies=counts["inaccuracies"],
        others=counts["others"],
    )
    columns = {name: getattr(made, name) for name in _COLUMNS}
    with store.write() as connection:
        if not insert_new(connection, t.adjudications, made, **columns, at=stamp(at)):
            raise Conflict("This output is settled already.")
        ledger.append(
            "quality.settled",
            at=at,
            run=row.output,
            app=row.app,
            actor=ledger.pseudonym(by),
            facts={"sample": row.sample, "errors": made.errors, "others": made.others},
        )
    return made


_COLUMNS = (
    *("sample", "output", "run", "app", "version", "reader"),
    *("fabrications", "omissions", "inaccuracies", "adjudicated"),
)


def _worse(first: Reading, second: Reading) -> tuple[Mark, ...]:
    """The marks both agree on, each with the worse harm that either saw."""
    harms: dict[str, list[Harm]] = {}
    for mark in second.marks:
        harms.setdefault(mark.kind, []).append(mark.harm)
    made = []
    for mark in first.marks:
        other = harms[mark.kind].pop(0)
        worse = max(mark.harm, other, key=HARMS.index)
        made.append(Mark(kind=mark.kind, harm=worse, sentence=mark.sentence, note=mark.note))
    return tuple(made)


def _check_marks(run: Run, marks: Sequence[Mark]) -> None:
    sentences = len(run.draft.sentences) if run.draft else 0
    if len(marks) > MOST_MARKS:
        raise InputError(f"An output has at most {MOST_MARKS} marks.", field="marks")
    for mark in marks:
        if mark.sentence is not None and not 0 <= mark.sentence < sentences:
            raise InputError(f"The output has {sentences} sentences, no sentence {mark.sentence + 1}.", field="marks")
        if len(mark.note) > MOST_NOTE:
            raise InputError(f"A note has at most {MOST_NOTE} characters.", field="marks")


def waiting_for(store: Store, sample: Sample, who: str) -> list[Sampled]:
    """What of a sample waits for a person: outputs to read, or, for the adjudicator, disagreements to settle."""
    rows = find_sampled(store, sample.id)
    if who in sample.readers:
        done = own_readings(store, sample.id, who)
        return [row for row in rows if row.output not in done]
    if who == sample.adjudicator:
        both = pairs(store, sample)
        return [row for row in rows if row.output in both and find_adjudication(store, sample.id, row.output) is None]
    return []
