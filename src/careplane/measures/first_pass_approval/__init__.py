"""First-pass approval: the share of prior authorisations that the payer approved as first asked."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds
from careplane.measures.first_pass_approval.views import ANSWERS, REQUESTS
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="first_pass_approval",
    title="First-pass approval",
    definition=(
        "Of the payer's first final answers to a prior authorisation: 1 if it carries an authorisation reference "
        "(ClaimResponse.preAuthRef), 0 if it does not. A request without a final answer (queued or none) is missing, "
        "not a denial; it is counted and reported by arm."
    ),
    numerator="prior authorisations whose first final answer carries an authorisation reference",
    denominator="prior authorisations of the window with a final answer",
    unit="proportion",
    direction="higher",
    mcid=0.05,
    aim="access",
    cadence_days=30,
    source="Claim (use preauthorization) and ClaimResponse.request, outcome complete",
    citation="Use case 23 of the starter catalogue. The smallest worthwhile change of 5 points is a default.",
    kind="proportion",
    row="prior authorisation",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per prior authorisation."""
    requests, answers = tables["requests"], tables["answers"]
    timed = answers.mutate(
        answered=epoch_seconds(answers.created), approved=answers.reference.notnull().ifelse(1.0, 0.0)
    )
    earliest = timed.group_by("claim").aggregate(answered=timed.answered.min())
    # two answers of one second: approved only if all of them are
    first = (
        timed.join(earliest, [timed.claim == earliest.claim, timed.answered == earliest.answered])
        .group_by("claim")
        .aggregate(approved=timed.approved.min())
    )
    both = requests.left_join(first, requests.id == first.claim)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=ibis.null("string"),
        at=epoch_seconds(both.created),
        value=both.approved,
    )


MEASURE = Measure(
    info=INFO,
    views={"requests": REQUESTS, "answers": ANSWERS},
    rows=rows,
    missing="had no final answer",
    follow_up_days=30,
)
