"""Tools by allow-list: a model may only call what the app may, with arguments that fit, for the run's own patient.

This is a boundary, not a detector: it holds whatever the model was told. A call that is denied never reaches the
caller.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jsonschema.protocols import Validator

from careplane.errors import InputError
from careplane.records import JSON
from careplane.records.model import ToolCall, ToolDelta
from careplane.shield.guards.json_schema import compile_schema, strict_json, violations
from careplane.shield.guards.patient.scope import PatientScope
from careplane.shield.guards.verdict import Verdict, refusal, verdict

_RULE = "tool_allowed"
_ARGUMENTS = "tool_arguments"


@dataclass(frozen=True, slots=True)
class Judged:
    """A call and what was decided about it."""

    call: ToolCall
    verdict: Verdict


class ToolPolicy:
    """What an app's tool calls may be.

    Args:
        allowed: names of the tools that the app may use. Nothing else can be called, whatever a request offered.
        schemas: the JSON schema of the arguments by tool. A tool without one takes any JSON object.
        patient: the run's patient, or ``None`` for a run that is about no single patient.

    Raises:
        InputError: a schema is wrong; ``field`` names the tool.
    """

    def __init__(
        self, allowed: Collection[str], schemas: Mapping[str, JSON] | None = None, patient: PatientScope | None = None
    ) -> None:
        self.allowed = frozenset(allowed)
        self.patient = patient
        self._validators = {
            name: _compiled(name, schema) for name, schema in (schemas or {}).items() if name in allowed
        }

    @classmethod
    def of_body(cls, allowed: Collection[str], body: JSON, patient: PatientScope | None = None) -> "ToolPolicy":
        """The policy for a canonical request: schemas are those of the tools that it offers."""
        offered = (tool.get("function") for tool in body.get("tools") or () if isinstance(tool, dict))
        functions = [function for function in offered if isinstance(function, dict)]
        schemas = {
            str(one.get("name")): one["parameters"] for one in functions if isinstance(one.get("parameters"), dict)
        }
        return cls(allowed, schemas, patient)

    def offer(self, tools: Sequence[JSON]) -> tuple[list[JSON], list[str]]:
        """The tools of a request that may be offered to the model, and the names (or types) of those left out.

        Only functions can be allowed by name; what a provider runs on its side (web search, code, files) is left out.
        """
        kept: list[JSON] = []
        left_out: list[str] = []
        for tool in tools:
            function = tool.get("function")
            name = str(function.get("name")) if isinstance(function, dict) else ""
            if tool.get("type", "function") == "function" and name in self.allowed:
                kept.append(tool)
            else:
                left_out.append(name or str(tool.get("type")))
        return kept, left_out

    def judge(self, call: ToolCall) -> Verdict:
        """Allow or deny a whole call. Originals have to be restored in its arguments before (see the PHI shield)."""
        if call.name not in self.allowed:
            shown = call.name if call.name.isidentifier() and len(call.name) <= 64 else "that name"
            way_out = f"The app may call {', '.join(sorted(self.allowed)) or 'no tool'}."
            return verdict((refusal(_RULE, f"The app may not call {shown}.", way_out),))
        try:
            arguments = strict_json(call.arguments or "{}")
        except InputError as error:
            return verdict((refusal(_ARGUMENTS, f"The arguments of {call.name}: {error.message}."),))
        if not isinstance(arguments, dict):
            return verdict((refusal(_ARGUMENTS, f"The arguments of {call.name} are no JSON object."),))
        validator = self._validators.get(call.name)
        wrong = violations(validator, arguments) if validator is not None else []
        reasons = [refusal(_ARGUMENTS, f"The arguments of {call.name} at {path}: {what}.") for path, what in wrong]
        if self.patient is not None:
            reasons.extend(self.patient.foreign(arguments))
        return verdict(tuple(reasons))

    def judge_all(self, calls: Iterable[ToolCall]) -> tuple[Judged, ...]:
        """Every call with its verdict."""
        return tuple(Judged(call, self.judge(call)) for call in calls)


class Judging(Protocol):
    """What decides about a whole call."""

    def judge(self, call: ToolCall) -> Verdict:
        """Allow or deny."""


class ToolStream:
    """Tool calls of a stream: pieces go in, whole calls come out judged. Nothing of a call leaves before its verdict.

    A call is whole when a piece of a later one arrives, or at :meth:`finish`. A piece that goes back to a call already
    judged, changes its name, or skips ahead makes a call of its own that is denied.
    """

    def __init__(self, policy: Judging, longest: int = 1_000_000) -> None:
        self._policy = policy
        self._longest = longest
        self._open: int | None = None
        self._closed: set[int] = set()
        self._id = self._name = ""
        self._parts: list[str] = []
        self._size = 0
        self._broken = ""

    def feed(self, deltas: Iterable[ToolDelta]) -> list[Judged]:
        """Take pieces; the calls that became whole."""
        done: list[Judged] = []
        for delta in deltas:
            if delta.index != self._open:
                done.extend(self.finish())
                self._open = delta.index
                if delta.index in self._closed:
                    self._broken = "comes back to a call that was already complete"
            self._take(delta)
        return done

    def finish(self) -> list[Judged]:
        """The call that was still open, judged."""
        if self._open is None:
            return []
        call = ToolCall(id=self._id, name=self._name, arguments="".join(self._parts))
        if self._broken:
            said = verdict((refusal(_RULE, f"A tool call of the stream {self._broken}."),))
        else:
            said = self._policy.judge(call)
        self._closed.add(self._open)
        self._open, self._id, self._name, self._parts, self._size, self._broken = None, "", "", [], 0, ""
        return [Judged(call, said)]

    def _take(self, delta: ToolDelta) -> None:
        if delta.name:
            if self._name and delta.name != self._name:
                self._broken = "changes its name"
            self._name = delta.name
        self._id = self._id or delta.id or ""
        self._size += len(delta.arguments)
        if self._size > self._longest:
            self._broken = f"has more than {self._longest:,} characters"
            self._parts = []
        elif not self._broken:
            self._parts.append(delta.arguments)


def _compiled(name: str, schema: JSON) -> Validator:
    try:
        return compile_schema(schema)
    except InputError as error:
        raise InputError(error.message, field=f"tools.{name}.parameters") from error


__all__ = ["Judged", "ToolPolicy", "ToolStream"]
