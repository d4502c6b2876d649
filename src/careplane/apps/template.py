"""The sandboxed template of an app's prompt: a small, bounded part of Jinja.

``prompt.md`` has two parts, split by a line ``---user---``: what the system says and what the user says. Templates may
print values, loop and choose; they may not call functions, multiply, format, import or define anything, and nest loops
at most two deep. So a template ends, cannot grow a value, and cannot reach beyond its values, by construction; time and
size are limited as well.
"""

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from careplane.errors import InputError
from careplane.records.app import App, AppSpec
from careplane.records.model import Message

SPLIT = "---user---"
MAX_CHARACTERS = 60_000
MAX_SECONDS = 2.0
MAX_LOOPS = 2
GIVEN_NAMES = ("title", "today", "language", "unit", "sources")
"""Names every template has: the app's title, the day of the event, the patient's language, the unit, all
numbered sources."""

CHAT_NAME = "message"
"""What was said in a chat so far; it comes with the event and not from the chart."""

_FILTERS = ("default", "first", "join", "last", "length", "lower", "title", "trim", "truncate", "upper")
_FORBIDDEN: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Call, "calls a function"),
    (nodes.Mul, "multiplies"),
    (nodes.Pow, "takes a power"),
    (nodes.Mod, "formats or takes a remainder"),
    (nodes.Assign, "sets a name"),
    (nodes.AssignBlock, "sets a name"),
    (nodes.With, "sets a name"),
    (nodes.Macro, "defines a macro"),
    (nodes.CallBlock, "defines a call block"),
    (nodes.Include, "includes another file"),
    (nodes.Import, "imports another file"),
    (nodes.FromImport, "imports another file"),
    (nodes.Extends, "extends another file"),
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A compiled prompt: its two parts."""

    system: Template
    user: Template


def names(spec: AppSpec) -> tuple[str, ...]:
    """The names that the prompt of an app may use: those always given, one per rule of its context, and ``message`` of
    an app that is held a chat with."""
    said = (CHAT_NAME,) if any(trigger.kind == "chat" for trigger in spec.starts) else ()
    return (*GIVEN_NAMES, *said, *(rule_name(rule.resource, rule.as_name) for rule in spec.context))


def rule_name(resource: str, as_name: str | None) -> str:
    """The template's name of what a context rule read: ``as_name``, else the resource type in lower case."""
    return as_name or resource.lower()


@functools.lru_cache(maxsize=256)
def compile_prompt(text: str, allowed: tuple[str, ...]) -> Prompt:
    """Compile a prompt.

    Raises:
        InputError: no ``---user---`` line, a syntax error, a forbidden construct or an undeclared name; ``line`` is
            the line of the prompt.
    """
    lines = text.splitlines()
    if lines.count(SPLIT) != 1:
        raise InputError(f"must have exactly one line '{SPLIT}', it has {lines.count(SPLIT)}", line=1)
    if not lines[0].startswith("TASK: "):
        raise InputError("must begin with a line 'TASK: name'", line=1)
    split = lines.index(SPLIT)
    environment = _environment()
    # The user part keeps its line numbers: it is preceded by as many empty lines, which are stripped when rendered.
    return Prompt(
        system=_compile(environment, "\n".join(lines[:split]), allowed),
        user=_compile(environment, "\n" * (split + 1) + "\n".join(lines[split + 1 :]), allowed),
    )


def render_prompt(
    app: App, values: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
) -> tuple[Message, Message]:
    """The system and the user message of an app.

    Raises:
        InputError: the app has no prompt, or its template needs a value that is not there, or exceeds its limits.
    """
    if app.prompt is None:
        raise InputError(f"{app.id} has no prompt.md, so it cannot run", file=app.folder)
    prompt = compile_prompt(app.prompt, names(app.spec))
    deadline = clock() + MAX_SECONDS
    return (
        Message(role="system", content=_render(prompt.system, values, deadline, clock)),
        Message(role="user", content=_render(prompt.user, values, deadline, clock)),
    )


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


def _compile(environment: ImmutableSandboxedEnvironment, text: str, allowed: tuple[str, ...]) -> Template:
    try:
        tree = environment.parse(text)
        problem = next(_problems(tree, allowed), None)
        if problem is not None:
            raise problem
        return environment.from_string(text)
    except TemplateSyntaxError as error:
        raise InputError(f"is not a valid template: {error.message}", line=error.lineno) from error
    except RecursionError as error:
        raise InputError("is nested too deep", line=1) from error
    except ValueError as error:
        raise InputError(f"is not a valid template: {error}", line=1) from error


def _problems(tree: nodes.Template, allowed: tuple[str, ...]) -> Iterator[InputError]:
    for kind, what in _FORBIDDEN:
        for node in tree.find_all(kind):
            yield InputError(f"{what}, which a prompt may not", line=node.lineno)
    for loop in tree.find_all(nodes.For):
        if _depth(loop) > MAX_LOOPS:
            yield InputError("nests loops more than two deep", line=loop.lineno)
    undeclared = find_undeclared_variables(tree) - set(allowed)
    for node in tree.find_all(nodes.Name):
        if node.name in undeclared:
            known = ", ".join(allowed)
            yield InputError(f"uses '{node.name}', which app.yaml does not declare. Known: {known}", line=node.lineno)


def _depth(node: nodes.Node) -> int:
    below = max((_depth(child) for child in node.iter_child_nodes()), default=0)
    return below + isinstance(node, nodes.For)


def _render(template: Template, values: Mapping[str, Any], deadline: float, clock: Callable[[], float]) -> str:
    pieces: list[str] = []
    size = 0
    try:
        for piece in template.generate(**values):
            size += len(piece)
            if size > MAX_CHARACTERS or clock() > deadline:
                raise InputError("The prompt is larger, or takes longer, than a prompt may.")
            pieces.append(piece)
    except (UndefinedError, SecurityError, TemplateRuntimeError, ArithmeticError, TypeError, ValueError) as error:
        raise InputError(f"The prompt could not be filled in: {error}") from error
    return "".join(pieces).strip()
