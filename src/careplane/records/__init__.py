"""Frozen values that every layer speaks.

One module per subject: ``app`` (the manifest), ``run`` (one run of an app), ``evidence`` (plans and effects),
``portfolio`` (register, goals, decisions), ``money`` (costs and value), ``people`` (training, panels, requests),
``launch`` (sessions from an EHR).
All are ``msgspec.Struct`` values: immutable, comparable, and encoded to JSON without loss.
"""

from typing import Any

import msgspec

JSON = dict[str, Any]
"""A JSON object, as FHIR resources travel between layers."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the frozen values: keyword-only, immutable, unknown fields refused when decoded."""
