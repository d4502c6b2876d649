"""YAML with its lines: every value of a manifest knows the line it was written on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from careplane.errors import ManifestError

MAX_BYTES = 64 * 1024
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null")}

Place = tuple[str | int, ...]


@dataclass
class Source:
    """A YAML file, read: its data, the line of each place in it, and what was wrong on the way."""

    file: Path
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[ManifestError] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, message: str) -> ManifestError:
        """A problem at a place, with file, line and field."""
        return ManifestError(message, file=self.file, line=self.line(place), field=dotted(place) or None)


def dotted(place: Place) -> str:
    """``context[0].fields``, as people write it."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(file: Path) -> Source:
    """Read a YAML file. Duplicate keys, anchors and broken YAML are problems; ``data`` is ``None`` when broken."""
    source = Source(file)
    try:
        raw = file.read_bytes()
        if len(raw) > MAX_BYTES:
            source.problems.append(ManifestError(f"is larger than {MAX_BYTES // 1024} KiB", file=file))
            return source
        root = yaml.compose(raw.decode(), Loader=yaml.SafeLoader)
        source.data = None if root is None else _value(source, root, (), set())
    except OSError as error:
        source.problems.append(ManifestError(f"cannot be read: {error.strerror}", file=file))
    except UnicodeDecodeError:
        source.problems.append(ManifestError("is not UTF-8 text", file=file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        source.problems.append(ManifestError(f"is not valid YAML: {error.problem}", file=file, line=line))
    except yaml.YAMLError:
        source.problems.append(ManifestError("is not valid YAML: it holds a character that YAML forbids", file=file))
    except RecursionError:
        source.problems.append(ManifestError("is nested too deep", file=file))
    return source


def _value(source: Source, node: yaml.Node, place: Place, seen: set[int]) -> Any:
    source.lines.setdefault(place, node.start_mark.line + 1)
    if id(node) in seen:
        source.problems.append(source.problem(place, "repeats another part by an alias; write it out"))
        return None
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(source, node, place, seen))
    if isinstance(node, yaml.SequenceNode):
        return [_value(source, item, (*place, index), seen) for index, item in enumerate(node.value)]
    if node.tag in _PLAIN:
        return _scalar(node)
    return node.value


def _pairs(source: Source, node: yaml.MappingNode, place: Place, seen: set[int]) -> Iterator[tuple[str, Any]]:
    known: set[str] = set()
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            source.problems.append(ManifestError("has a key that is not a name", file=source.file, line=line))
            continue
        # The key's own text: YAML 1.1 would read the key `on` as the boolean true.
        key = key_node.value
        source.lines.setdefault((*place, key), line)
        if key in known:
            message = "is given twice"
            source.problems.append(ManifestError(message, file=source.file, line=line, field=dotted((*place, key))))
            continue
        known.add(key)
        yield key, _value(source, value_node, (*place, key), seen)


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except ValueError:
        return node.value
    finally:
        loader.dispose()
