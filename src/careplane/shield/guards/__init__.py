"""The guards, one folder each: what it does, its function, and a README with its measured precision and recall.

Two kinds, never to be confused:

- **boundaries** hold whatever the model was told: :func:`quarantine`, :class:`ToolPolicy`, :class:`PatientScope` and
  :func:`one_patient`, :class:`LinkStripper`, :func:`validate_output`;
- **signals** tell a person what to look at and may be wrong: :func:`injection_score`, and the output checks of
  :mod:`careplane.shield.checks` (grounding, crisis, advice, form, leftovers).

All are pure functions of what they are given: no I/O, no clock, no settings.
"""

from careplane.shield.guards.injection import injection_score
from careplane.shield.guards.links import LinkStripper, strip_links
from careplane.shield.guards.output_schema import schema_of, validate_output
from careplane.shield.guards.patient import PatientScope, one_patient
from careplane.shield.guards.quarantine import Quarantine, Quarantined, Untrusted, neutralise, quarantine
from careplane.shield.guards.tools import Judged, ToolPolicy, ToolStream
from careplane.shield.guards.verdict import Verdict

__all__ = [
    "Judged",
    "LinkStripper",
    "PatientScope",
    "Quarantine",
    "Quarantined",
    "ToolPolicy",
    "ToolStream",
    "Untrusted",
    "Verdict",
    "injection_score",
    "neutralise",
    "one_patient",
    "quarantine",
    "schema_of",
    "strip_links",
    "validate_output",
]
