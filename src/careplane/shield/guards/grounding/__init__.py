"""Grounding: does the chart say what the draft says? Each guard flags a sentence with a reason.

Sources are lines of FHIR resources (``careplane.codecs.fhir.text_of``), so structured charts and notes are read the
same way. Figures are in ``README.md``; ``bench/guards.py`` measures them.
"""

from collections.abc import Iterable

from careplane.codecs.fhir import date_of, reference, text_of
from careplane.records import JSON
from careplane.records.run import Source
from careplane.shield.guards.grounding.allergies import allergies
from careplane.shield.guards.grounding.claims import citations_present, numbers
from careplane.shield.guards.grounding.denials import negation
from careplane.shield.guards.grounding.medicines import drugs
from careplane.shield.guards.grounding.sides import laterality


def sources_of(resources: Iterable[JSON]) -> tuple[Source, ...]:
    """FHIR resources as the sources that a text is checked against."""
    return tuple(
        Source(
            n=n,
            reference=reference(resource),
            label=str(resource.get("resourceType", "")),
            text=text_of(resource, None),
            date=date_of(resource),
        )
        for n, resource in enumerate(resources, start=1)
    )


__all__ = ["allergies", "citations_present", "drugs", "laterality", "negation", "numbers", "sources_of"]
