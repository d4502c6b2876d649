"""The FHIRPath subset of a ViewDefinition, compiled to DuckDB SQL over JSON.

Every expression becomes one SQL expression of type ``JSON[]``: a FHIRPath collection. Understood: member access,
``$this``, string, boolean and integer literals, ``=``, ``where()``, ``first()``, ``exists()``, ``empty()``, ``not()``,
``getResourceKey()``, ``getReferenceKey(Type)``, and ``ofType(Type)`` right after an element that FHIR gives a choice of
types (``value``, ``effective``, ...). Anything else is an :class:`InputError` that names the path.

Source: SQL on FHIR v2, ViewDefinition, section "Supported FHIRPath functionality"; FHIRPath N1 (HL7 2.0.0).
"""

import re
from dataclasses import dataclass, field

from careplane.errors import InputError

_TOKEN = re.compile(r"\s*(?:(?P<name>\$this|[A-Za-z_]\w*)|(?P<text>'(?:[^'\\]|\\.)*')|(?P<int>\d+)|(?P<mark>[.()=]))")
_EMPTY = "[]::JSON[]"
_CHOICES = frozenset(
    {
        *("abatement", "deceased", "effective", "identified", "medication", "multipleBirth", "occurrence", "onset"),
        *("performed", "reported", "serviced", "timing", "value"),
    }
)
"""Elements of a choice of types, whose JSON name ends in the type: ``value.ofType(Quantity)`` is ``valueQuantity``."""
_KEY = r"(?:^|/){type}/([A-Za-z0-9.-]{{1,64}})(?:/_history/[^/]+)?$"


def compile_path(path: str, node: str) -> str:
    """The SQL of a path evaluated on ``node``, a SQL expression of type JSON (or null: the empty collection).

    Raises:
        InputError: the path uses what this subset leaves out, or is not FHIRPath.
    """
    parser = _Parser(path, _tokens(path))
    sql = parser.expression(f"list_filter([{node}], lambda x: x IS NOT NULL)")
    parser.end()
    return sql


def is_true(collection: str) -> str:
    """A SQL boolean: the collection holds the single value true."""
    return f"coalesce(({collection})[1] = 'true', false)"


def _tokens(path: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(path.rstrip()):
        found = _TOKEN.match(path, at)
        if found is None or found.lastgroup is None:
            raise _unsupported(path, path[at:].strip()[:20])
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _unsupported(path: str, what: str) -> InputError:
    return InputError(f"{what or 'the end'!r} is outside the FHIRPath subset that views understand", field=path)


@dataclass
class _Parser:
    """Recursive descent; each method reads tokens and returns the SQL of a collection."""

    path: str
    tokens: list[tuple[str, str]]
    at: int = 0
    depth: int = field(default=0)

    def expression(self, context: str) -> str:
        left = self.chain(context)
        if not self.take("="):
            return left
        right = self.chain(context)
        item = self.variable()
        equal = f"list_transform(({left})[1:1], lambda {item}: to_json({item} = ({right})[1]))"
        return f"list_filter({equal}, lambda {item}: {item} IS NOT NULL)"

    def chain(self, context: str) -> str:
        kind, text = self.next()
        if kind == "text":
            return f"[to_json({_literal(text)})]"
        if kind == "int" or text in ("true", "false"):
            return f"['{text}'::JSON]"
        if kind != "name":
            raise _unsupported(self.path, text)
        sql = self.step(text, context)
        while self.take("."):
            kind, text = self.next()
            if kind != "name":
                raise _unsupported(self.path, text)
            sql = self.step(text, sql)
        return sql

    def step(self, name: str, on: str) -> str:
        if not self.take("("):
            return on if name == "$this" else _member(on, name + self.choice(name), self.variable())
        sql = self.function(name, on)
        if not self.take(")"):
            raise _unsupported(self.path, self.next()[1])
        return sql

    def function(self, name: str, on: str) -> str:
        item = self.variable()
        if name == "where":
            return f"list_filter({on}, lambda {item}: {is_true(self.expression(f'[{item}]'))})"
        if name == "getReferenceKey":
            return _reference_key(on, self.type_name() if self.peek() != ")" else "[A-Z][A-Za-z]+", item)
        if name == "getResourceKey":
            return _member(on, "id", item)
        plain = {
            "first": f"({on})[1:1]",
            "exists": f"[to_json(len({on}) > 0)]",
            "empty": f"[to_json(len({on}) = 0)]",
            "not": f"list_transform({on}, lambda {item}: to_json({item} = 'false'))",
        }
        if name not in plain:
            raise _unsupported(self.path, f"{name}()")
        return plain[name]

    def choice(self, name: str) -> str:
        """The type that ``ofType()`` picks of a choice of types, as the JSON name ends; else nothing."""
        ahead = [text for _, text in self.tokens[self.at : self.at + 3]]
        if name not in _CHOICES or ahead != [".", "ofType", "("]:
            return ""
        self.at += 3
        kind = self.type_name()
        if not self.take(")"):
            raise _unsupported(self.path, self.peek())
        return kind[0].upper() + kind[1:]

    def type_name(self) -> str:
        kind, text = self.next()
        if kind != "name" or not text.isalpha():
            raise _unsupported(self.path, text)
        return text

    def variable(self) -> str:
        self.depth += 1
        return f"e{self.depth}"

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def next(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise _unsupported(self.path, "")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, mark: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at] == ("mark", mark)
        self.at += found
        return found

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise _unsupported(self.path, self.peek())


def _literal(text: str) -> str:
    value = re.sub(r"\\(.)", r"\1", text[1:-1])
    return "'" + value.replace("'", "''") + "'"


def _member(on: str, name: str, item: str) -> str:
    """The children called ``name`` of every node: an array contributes its elements, a null nothing."""
    at = f"'$.\"{name}\"'"
    return (
        f"flatten(list_transform({on}, lambda {item}: CASE json_type({item}, {at})"
        f" WHEN 'ARRAY' THEN json_extract({item}, '$.\"{name}\"[*]') WHEN 'NULL' THEN {_EMPTY}"
        f" ELSE list_filter([json_extract({item}, {at})], lambda {item}v: {item}v IS NOT NULL) END))"
    )


def _reference_key(on: str, kind: str, item: str) -> str:
    """The id that each reference points at, if it points at a resource of that type."""
    pattern = _KEY.format(type=kind)
    key = f"nullif(regexp_extract(json_extract_string({item}, '$.reference'), '{pattern}', 1), '')"
    keys = f"list_transform({on}, lambda {item}: to_json({key}))"
    return f"list_filter({keys}, lambda {item}: {item} IS NOT NULL AND {item} <> 'null')"
