"""The arguments of a tool call, which models write as JSON text, as the object that some APIs want."""

import orjson

from careplane.codecs.strict_json import depth
from careplane.records import JSON

_MAX_DEPTH = 128


def as_object(arguments: str) -> JSON:
    """The JSON object; what is none is wrapped in the form that Anthropic documents for broken arguments.

    Source: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/fine-grained-tool-streaming
    """
    try:
        given = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        given = None
    return given if isinstance(given, dict) and depth(given, _MAX_DEPTH) <= _MAX_DEPTH else {"INVALID_JSON": arguments}
