"""The documents are true: every command line in them exists, and every relative link leads somewhere."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from careplane.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("bench/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
IN_LINE = re.compile(r"`(careplane [a-z][^`]*)`")
ENDS = {"|", "||", "&&", ";", ">", ">>", "#"}


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each ``careplane`` line: in code blocks, and in single back quotes."""
    fence = False
    lines = [
        found[1] for found in IN_LINE.finditer(re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    ]
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fence = not fence
        elif fence or line.startswith("    "):
            lines += re.findall(r"(?:^\s*(?:\$ )?|[;&|] *)(careplane [^;&|]*)", line)
    for line in lines:
        words = shlex.split(line.replace("...", "").replace("[", " ").replace("]", " "), comments=True)
        yield words[1 : next((at for at, word in enumerate(words) if word in ENDS), len(words))]


def problem(arguments: list[str]) -> str:
    """What is wrong with a command line, down to the names of its options; "" when nothing is."""
    first, *rest = arguments
    if first.startswith("-"):
        return ""
    if first not in COMMANDS:
        return f"no command {first}"
    command: click.Command = importlib.import_module(f"careplane.cli.{first}").command
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        inner = command.get_command(click.Context(command), rest[0].split("|")[0])
        if inner is None:
            return f"no command {first} {rest[0]}"
        command, rest = inner, rest[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known | {"--help"}]
    return f"no option {', '.join(unknown)}" if unknown else ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_command_lines_exist(document: Path) -> None:
    wrong = {" ".join(line): problem(line) for line in commands(document.read_text(encoding="utf-8")) if line}
    assert {line: told for line, told in wrong.items() if told} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_relative_links_lead_somewhere(document: Path) -> None:
    targets = [found[1] for found in LINK.finditer(document.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_page_is_in_an_index() -> None:
    indexed = {
        (index.parent / found[1]).resolve()
        for index in (REPOSITORY / "docs/README.md", REPOSITORY / "docs/decisions/README.md")
        for found in LINK.finditer(index.read_text(encoding="utf-8"))
    }
    pages = set(REPOSITORY.glob("docs/**/*.md")) - {REPOSITORY / "docs/README.md"}
    assert sorted(name(page) for page in pages - indexed) == []


def test_the_check_of_commands_can_fail() -> None:
    assert problem(["lode", "x"]) == "no command lode"
    assert problem(["app", "trie"]) == "no command app trie"
    assert problem(["load", "--hom", "x"]) == "no option --hom"
    assert list(commands("```\ncareplane load x && careplane app list # all\n```\nor `careplane app try x`")) == [
        ["app", "try", "x"],
        ["load", "x"],
        ["app", "list"],
    ]
