"""FHIR R4 (4.0.1) on the wire: types, references, dates and one human line per resource.

Everything here is pure and takes resources as parsed JSON. Any legal resource works and no missing element raises: what
is absent is left out of the answer.
"""

from careplane.codecs.fhir.bounds import MAX_DEPTH, MAX_RESOURCE_BYTES, check_resource, deeper_than, parse_resource
from careplane.codecs.fhir.elements import (
    date_of,
    parse_reference,
    patient_of,
    reference,
    references,
    select_fields,
    short_reference,
)
from careplane.codecs.fhir.text import text_of
from careplane.codecs.fhir.types import ID_PATTERN, RESOURCE_TYPES

__all__ = [
    "ID_PATTERN",
    "MAX_DEPTH",
    "MAX_RESOURCE_BYTES",
    "RESOURCE_TYPES",
    "check_resource",
    "date_of",
    "deeper_than",
    "parse_reference",
    "parse_resource",
    "patient_of",
    "reference",
    "references",
    "select_fields",
    "short_reference",
    "text_of",
]
