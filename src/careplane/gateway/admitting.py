"""What is asked of a request before anything leaves: one patient, consent, tools, untrusted text.

It is decided on the server from the app's manifest and the chart; nothing that a model or a text says changes it.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import orjson
from cachetools import LRUCache

from careplane.errors import InputError, Refused
from careplane.gateway.routing import LOCAL, Target
from careplane.governance.labels import RECIPIENTS, Recipient, check_chart, labels
from careplane.records import JSON
from careplane.records.model import ModelRequest
from careplane.shield.guards import (
    PatientScope,
    ToolPolicy,
    Untrusted,
    Verdict,
    one_patient,
    quarantine,
    schema_of,
)
from careplane.shield.guards.injection import THRESHOLD
from careplane.shield.guards.json_schema import compile_schema

EVERY_TOOL = "*"
_DATA_ROLES = frozenset({"tool", "function"})


Signal = Callable[[str], float]
"""From a text to a score from 0 to 1: how much it reads like an instruction to the model."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: its body with untrusted text marked, the rules for its tools, and the injection signal
    from 0 to 1 (``None`` when nothing in it is untrusted)."""

    body: JSON
    tools: ToolPolicy | None
    injection: float | None


def admit(request: ModelRequest, signal: Signal | None) -> Admitted:
    """Check a request.

    Args:
        signal: how much a text reads like an instruction to the model; ``None`` switches the signal off, which moves no
            boundary.

    Raises:
        Refused: two patients, a tool that the app may not use, or (where the app says so) untrusted text that reads
            like an instruction.
        InputError: the schema of a tool or of the reply is not one.
    """
    if request.chart and not _of_a_unit(request):
        verdict = _judged(request).one_patient
        if not verdict.allowed:
            raise Refused([verdict.text], "Send the chart of one patient.")
    tools = _tools(request)
    _check_schema(request.body)
    data = list(_data(request))
    if not data:
        return Admitted(request.body, tools, None)
    score = None if signal is None else max(map(signal, data))
    if score is not None and score >= THRESHOLD and request.guards.injection == "refuse":
        raise Refused(
            ["A text that was quoted from others reads like an instruction to the model."],
            "Leave the text out, or let a person handle it.",
        )
    what = Untrusted(roles=tuple(_DATA_ROLES), indexes=request.untrusted, sections=())
    marked = quarantine(request.body["messages"], what)
    return Admitted({**request.body, "messages": list(marked.messages)}, tools, score)


def _of_a_unit(request: ModelRequest) -> bool:
    """Whether it is a run of the workflow about a unit (a huddle, a handoff), whose patients are many on purpose: the
    manifest's searches limit it. Only the workflow sets ``run``; a caller with a key is always held to one patient."""
    return request.run is not None and request.patient is None


@dataclass(frozen=True, slots=True)
class _Chart:
    """What was found of a chart, kept while its encounter is busy: whether it is of one patient, and has labels."""

    one_patient: Verdict
    labelled: bool


_charts: LRUCache[bytes, _Chart] = LRUCache(1024)
_SECRET = secrets.token_bytes(32)


def _judged(request: ModelRequest) -> _Chart:
    told = orjson.dumps((request.chart, request.patient))
    key = blake2b(told, key=_SECRET, digest_size=16).digest()
    found = _charts.get(key)
    if found is None:
        labelled = any(labels(resource) != frozenset() for resource in request.chart)
        found = _charts[key] = _Chart(one_patient(request.chart, request.patient), labelled)
    return found


def check_consent(request: ModelRequest, targets: Sequence[Target], at: datetime) -> None:
    """Whether labelled resources of a caller's chart may go to the models that may be asked. The consents are those of
    the chart itself; a run of the workflow has decided this before, on the consents of the EHR.

    Raises:
        Refused: a resource with a security label has no consent for one of the models.
    """
    if not request.chart or request.run is not None or not _judged(request).labelled:
        return
    external = any(target.region != LOCAL for target in targets)
    consents = [resource for resource in request.chart if resource.get("resourceType") == "Consent"]
    recipient = Recipient(external=external, names=frozenset(RECIPIENTS[external]), purpose=request.policy.purpose)
    check_chart(request.chart, consents, recipient, at)


def _check_schema(body: JSON) -> None:
    """A schema that no reply can be held to is refused before a model is paid for one."""
    _as_json, schema = schema_of(body.get("response_format"))
    if schema is None:
        return
    try:
        compile_schema(schema)
    except InputError as error:
        raise InputError(error.message, field="response_format.json_schema.schema") from error


def _tools(request: ModelRequest) -> ToolPolicy | None:
    offered = request.body.get("tools")
    if not offered:
        return None
    scope = PatientScope.of(request.patient, request.chart) if request.patient else None
    names = [str((tool.get("function") or {}).get("name")) for tool in offered]
    allowed = names if EVERY_TOOL in request.guards.tools else request.guards.tools
    policy = ToolPolicy.of_body(allowed, request.body, scope)
    _kept, left_out = policy.offer(offered)
    if left_out:
        shown = ", ".join(name if name.isidentifier() and len(name) <= 64 else "?" for name in left_out)
        raise Refused(
            [f"The app {request.app} may not let a model use: {shown}."],
            "List the tool under guards.tools in the manifest of the app.",
        )
    return policy


def _data(request: ModelRequest) -> Iterator[str]:
    """The texts of a request that are quoted from others."""
    for i, message in enumerate(request.body.get("messages", ())):
        if message.get("role") in _DATA_ROLES or i in request.untrusted:
            content = message.get("content") or ""
            if isinstance(content, str):
                yield content
            else:
                yield from (part["text"] for part in content if isinstance(part.get("text"), str))
