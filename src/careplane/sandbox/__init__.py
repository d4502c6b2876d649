"""A synthetic health system with known true effects: patients, staff, EHR, portal inbox, ERP export and portfolio.

``generate`` writes a data set from a seed; ``Staff`` acts on its messages; ``Ehr`` serves it over FHIR;
``true_effects`` says what an evaluation should find. Everything is invented and labelled so.
"""

from careplane.sandbox.dataset import Manifest, generate, read_manifest
from careplane.sandbox.ehr import Ehr
from careplane.sandbox.staff import Staff
from careplane.sandbox.truth import Drafts, true_effects, true_effects_by_language, true_effects_by_race

__all__ = [
    "Drafts",
    "Ehr",
    "Manifest",
    "Staff",
    "generate",
    "read_manifest",
    "true_effects",
    "true_effects_by_language",
    "true_effects_by_race",
]
