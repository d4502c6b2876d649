"""One patient per run: what another patient is called, in the arguments of a tool or in a chart, is refused.

The check is on the server and knows only the run's own patient; a model cannot talk it into another one.
"""

from careplane.shield.guards.patient.bundle import one_patient
from careplane.shield.guards.patient.scope import PatientScope

__all__ = ["PatientScope", "one_patient"]
