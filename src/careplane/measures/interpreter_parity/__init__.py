"""Use of an output where the patient does not prefer English, over use where they do (measure M30)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures.interpreter_parity.views import LANGUAGES
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="interpreter_parity",
    title="Use for patients who do not prefer English",
    definition=(
        "Each event for which an app could run, outside the control arm, with a patient whose preferred language is "
        "recorded: 1 if its output was used (accepted or edited), else 0, so that refused and failed events count as "
        "not used. The figure of the measure is the ratio of the shares, other languages over English, with a 95 % "
        "interval on the log scale (evidence.gaps.parity); 1 is parity. The same ratio is formed of the rows of any "
        "error measure. It is withheld when either side has fewer than 11 events. A patient without a recorded "
        "language is a row without a value."
    ),
    numerator="share of events with a used output, patients who prefer another language",
    denominator="share of events with a used output, patients who prefer English",
    unit="ratio",
    direction="nearer_one",
    mcid=0.2,
    mcid_source="the four-fifths rule (29 CFR 1607.4 D) as a default",
    aim="equity",
    cadence_days=30,
    source="run record; Patient.communication (preferred, else the first)",
    citation="Measure M30. Ratio of proportions with Katz's interval (Katz et al., Biometrics 34:469, 1978).",
    catalogue="M30",
    kind="proportion",
    row="eligible event",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per eligible event with a patient."""
    runs, spoken = tables["runs"], tables["languages"]
    events = runs.filter((runs.arm.isnull() | (runs.arm != "control")) & runs.patient.notnull())
    preferred = spoken.filter(spoken.language.notnull()).mutate(
        rank=spoken.preferred.fill_null(False).ifelse(0, 1).cast("int64")
    )
    best = preferred.group_by("patient").aggregate(rank=preferred["rank"].min()).rename(who="patient", least="rank")
    chosen = preferred.join(best, [preferred.patient == best.who, preferred["rank"] == best.least])
    one = chosen.group_by("patient").aggregate(language=chosen.language.min()).rename(speaker="patient")
    both = events.left_join(one, events.patient == one.speaker)
    used = both.status.isin(("accepted", "edited")).ifelse(1.0, 0.0)
    return both.select(
        key=both.run,
        cluster=both.unit,
        patient=both.patient,
        clinician=both.clinician,
        at=both["at"],
        value=both.language.isnull().ifelse(ibis.null("float64"), used),
    )


MEASURE = Measure(
    info=INFO,
    views={"languages": LANGUAGES},
    rows=rows,
    missing="had a patient without a recorded language",
    reads=("runs",),
)
