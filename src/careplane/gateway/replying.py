"""A reply on its way back: originals restored, foreign links out, tool calls judged; in pieces or as a whole.

Each stream of a reply (text, reasoning, refusal, the arguments of every tool call) is restored on its own, so that a
surrogate that is cut in two is put together again. A tool call leaves when it is whole, restored and allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from careplane.records.model import Chunk, ToolCall, ToolDelta
from careplane.shield import Protected, Restorer
from careplane.shield.guards import LinkStripper, ToolPolicy, ToolStream, Verdict, validate_output

_NOTHING = Chunk()
_NO_TOOL = ToolPolicy(())


class RestoringPolicy:
    """Judges a tool call with its originals restored; the restored arguments are kept for the caller."""

    def __init__(self, policy: ToolPolicy, session: Protected) -> None:
        self._policy = policy
        self._session = session
        self.restored: dict[int, ToolCall] = {}

    def judge(self, call: ToolCall) -> Verdict:
        """As :meth:`ToolPolicy.judge`."""
        whole = replace(call, arguments=self._session.restore_json(call.arguments)) if call.arguments else call
        self.restored[id(call)] = whole
        return self._policy.judge(whole)


class _Strand:
    """One stream of text: restored, then without foreign links."""

    def __init__(self, restorer: Restorer | None, stripper: LinkStripper | None) -> None:
        self._restorer = restorer
        self._stripper = stripper

    def feed(self, piece: str) -> str:
        if self._restorer is not None:
            piece = self._restorer.feed(piece)
        return piece if self._stripper is None else self._stripper.feed(piece)

    def whole(self, text: str) -> str:
        if self._restorer is not None:
            text = self._restorer.feed(text) + self._restorer.finish()
        return text if self._stripper is None else self._stripper.strip(text)

    def finish(self) -> str:
        piece = "" if self._restorer is None else self._restorer.finish()
        return piece if self._stripper is None else self._stripper.feed(piece) + self._stripper.finish()


@dataclass(slots=True)
class Reply:
    """What has come of a reply so far; ``withheld`` are the reasons for tool calls that did not pass."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    finish_reason: str = ""


class Returning:
    """Takes the chunks of a provider and gives those that a client may see; ``reply`` is the sum of them.

    Args:
        session: the shield's way back.
        tools: what the app's tool calls may be; ``None`` when the request offered no tool: then none passes.
        links: hosts that links may lead to.
        as_json: the text is JSON (structured output): originals are escaped where they are put back.
    """

    def __init__(
        self, session: Protected, tools: ToolPolicy | None, links: Sequence[str], *, as_json: bool = False
    ) -> None:
        self.reply = Reply()
        self._session = session
        self._links = tuple(links)
        self._policy = RestoringPolicy(_NO_TOOL if tools is None else tools, session)
        self._tools: ToolStream | None = None
        self._as_json = as_json
        self._text = self._strand(as_json=as_json)
        self._others: dict[str, _Strand] = {}
        self._count = 0

    def _strand(self, *, as_json: bool = False) -> _Strand:
        session = self._session
        restorer = None
        if session.count:
            restorer = session.json_restorer() if as_json else session.restorer()
        return _Strand(restorer, None if "*" in self._links else LinkStripper(self._links))

    def take(self, chunk: Chunk) -> Chunk | None:
        """What of a chunk may go on now; ``None`` when nothing may yet."""
        reply = self.reply
        if chunk.finish_reason:
            reply.finish_reason = chunk.finish_reason
        text = self._text.feed(chunk.text) if chunk.text else ""
        if text:
            reply.text.append(text)
        if not (chunk.reasoning or chunk.refusal or chunk.tool_calls or self._others):
            return Chunk(text=text) if text else None
        reasoning = self._other("reasoning", chunk.reasoning, reply.reasoning)
        if chunk.text or chunk.tool_calls:
            reasoning += self._rest_of("reasoning", reply.reasoning)
        refusal = self._other("refusal", chunk.refusal, reply.refusal)
        calls = self._calls(chunk.tool_calls)
        if calls:
            text += self._rest_of_text()
        out = Chunk(text=text, reasoning=reasoning, refusal=refusal, tool_calls=calls)
        return None if out == _NOTHING else out

    def take_all(self, chunks: Sequence[Chunk]) -> None:
        """The chunks of a whole reply, of which nothing has to leave before its end."""
        text = chunks[0].text if len(chunks) == 1 else "".join([chunk.text for chunk in chunks])
        if text:
            self.reply.text.append(self._text.whole(text))
        for chunk in chunks:
            if chunk.reasoning or chunk.refusal or chunk.tool_calls:
                self.take(replace(chunk, text=""))
            elif chunk.finish_reason:
                self.reply.finish_reason = chunk.finish_reason
        if self._others or self._tools is not None:
            self.finish()

    def finish(self) -> Chunk | None:
        """What was held back, at the end of the reply."""
        reply = self.reply
        text = self._text.finish()
        if text:
            reply.text.append(text)
        rest = {name: strand.finish() for name, strand in self._others.items()}
        reply.reasoning.extend(filter(None, (rest.get("reasoning"),)))
        reply.refusal.extend(filter(None, (rest.get("refusal"),)))
        calls = () if self._tools is None else self._judged(self._tools.finish())
        told = rest.get("refusal", "")
        if reply.withheld:
            told += self._withheld()
        out = Chunk(text=text, reasoning=rest.get("reasoning", ""), refusal=told, tool_calls=calls)
        return None if out == _NOTHING else out

    def _rest_of(self, name: str, kept: list[str]) -> str:
        """What a stream holds back, because another one begins: a client sees them in the order of the model."""
        strand = self._others.pop(name, None)
        rest = "" if strand is None else strand.finish()
        kept.append(rest)
        return rest

    def _rest_of_text(self) -> str:
        rest = self._text.finish()
        self._text = self._strand(as_json=self._as_json)
        self.reply.text.append(rest)
        return rest

    def _withheld(self) -> str:
        """What the client is told instead of the tool calls that did not pass."""
        told = f"A tool call was withheld. {' '.join(dict.fromkeys(self.reply.withheld))}"
        self.reply.refusal.append(told)
        if not self.reply.tool_calls:
            self.reply.finish_reason = "content_filter"
        return told

    def _other(self, name: str, piece: str, kept: list[str]) -> str:
        if not piece:
            return ""
        strand = self._others.get(name)
        if strand is None:
            strand = self._others[name] = self._strand()
        out = strand.feed(piece)
        kept.append(out)
        return out

    def _calls(self, deltas: Sequence[ToolDelta]) -> tuple[ToolDelta, ...]:
        if not deltas:
            return ()
        if self._tools is None:
            self._tools = ToolStream(self._policy)
        return self._judged(self._tools.feed(deltas))

    def _judged(self, judged: Sequence[object]) -> tuple[ToolDelta, ...]:
        out: list[ToolDelta] = []
        for one in judged:
            call, verdict = one.call, one.verdict  # type: ignore[attr-defined]
            if not verdict.allowed:
                self.reply.withheld.append(verdict.text)
                continue
            whole = self._policy.restored.get(id(call), call)
            self.reply.tool_calls.append(whole)
            out.append(ToolDelta(index=self._count, id=whole.id, name=whole.name, arguments=whole.arguments))
            self._count += 1
        return tuple(out)

    def meets(self, schema: dict[str, object] | None) -> Verdict:
        """Whether the whole text meets the JSON schema that the request asked for."""
        return validate_output(schema, "".join(self.reply.text))
