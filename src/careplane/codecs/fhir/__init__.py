"""FHIR R4 (4.0.1) on the wire: types, references, dates and one human line per resource.

Everything here is pure and takes resources as parsed JSON. Any legal resource works and no missing element raises: what
is absent is left out of the answer.
"""

from careplane.codecs.fhir.elements import (
    date_of,
    patient_of,
    reference,
    references,
    select_fields,
)
from careplane.codecs.fhir.text import text_of
from careplane.codecs.fhir.types import ID_PATTERN, RESOURCE_TYPES

__all__ = [
    "ID_PATTERN",
    "RESOURCE_TYPES",
    "date_of",
    "patient_of",
    "reference",
    "references",
    "select_fields",
    "text_of",
]
