"""Tool calls of the scripted model: it calls the tools that the last message names, or must be called.

A message may give the arguments as JSON behind the name: ``find_drug {"drug": "lisinopril"}``; else they are filled in
from the tool's schema.
"""

import json
import re
from collections.abc import Iterator

from careplane.providers.scripted.instances import Writer
from careplane.records import JSON
from careplane.records.model import ToolDelta, texts

_PIECE = 12
"""Characters of arguments that come at once."""


def wanted(body: JSON) -> list[tuple[str, str]]:
    """Names and arguments of the tools to call, in order; none where the last message is the result of one."""
    choice = body.get("tool_choice", "auto")
    tools = {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or ()}
    if not tools or choice == "none" or body["messages"][-1]["role"] == "tool":
        return []
    said = texts(body)[-1].content
    if isinstance(choice, dict):
        named = [name for name in tools if name == choice["function"]["name"]]
    else:
        named = sorted((name for name in tools if _place(name, said) >= 0), key=lambda name: _place(name, said))
        named = named or (list(tools)[:1] if choice == "required" else [])
    return [(name, _arguments(name, said, tools[name].get("parameters") or {})) for name in named]


def deltas(calls: list[tuple[str, str]], seed: bytes) -> Iterator[ToolDelta]:
    """The calls in pieces, with identifiers that follow from the request."""
    for index, (name, arguments) in enumerate(calls):
        yield ToolDelta(index=index, id=f"call_{seed[:6].hex()}_{index}", name=name)
        for start in range(0, len(arguments), _PIECE):
            yield ToolDelta(index=index, arguments=arguments[start : start + _PIECE])


def _place(name: str, said: str) -> int:
    found = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said)
    return found.start() if found else -1


def _arguments(name: str, said: str, schema: JSON) -> str:
    found = re.search(rf"(?<![\w-]){re.escape(name)}\s*(?=\{{)", said)
    if found is not None:
        try:
            given, _ = json.JSONDecoder().raw_decode(said, found.end())
            return json.dumps(given, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return Writer({"type": "object", **schema}, "scripted").write()
