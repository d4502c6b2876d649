"""The lesson of an app: Markdown with a quiz at its end.

::

    # Title
    What a user needs to know, in Markdown.

    ## Quiz
    ### A question?
    - [ ] A wrong answer
    - [x] The right answer
    > Why it is right (optional).

Each question has two or more options, exactly one of them right.
"""

import re
from collections.abc import Iterator

from careplane.errors import InputError
from careplane.records import Record

_OPTION = re.compile(r"- \[(?P<mark>[ xX])\] (?P<text>.+)")


class Question(Record, frozen=True):
    """One question. ``answer`` is the 0-based index of the right option."""

    text: str
    options: tuple[str, ...]
    answer: int
    explanation: str = ""


class Lesson(Record, frozen=True):
    """A lesson: its title, its text (Markdown, without title and quiz) and its quiz."""

    title: str
    body: str
    questions: tuple[Question, ...]


def parse_lesson(text: str) -> Lesson:
    """Read a lesson.

    Raises:
        InputError: no title, no quiz or a question that is not one; ``line`` is the 1-based line.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith("# ") or not lines[0][2:].strip():
        raise InputError("The first line must be the title: '# ' and a text.", line=1)
    if "## Quiz" not in lines:
        raise InputError("There is no section '## Quiz'.", line=len(lines))
    start = lines.index("## Quiz")
    questions = tuple(_question(number, block) for number, block in _blocks(lines, start + 1))
    if not questions:
        raise InputError("The quiz has no question: add '### ' and a text.", line=start + 1)
    return Lesson(title=lines[0][2:].strip(), body="\n".join(lines[1:start]).strip(), questions=questions)


def _blocks(lines: list[str], start: int) -> Iterator[tuple[int, list[str]]]:
    """The lines of each question, with the 1-based line of its heading."""
    heads = [index for index in range(start, len(lines)) if lines[index].startswith("### ")]
    for head, following in zip(heads, [*heads[1:], len(lines)], strict=True):
        yield head + 1, lines[head:following]


def _question(number: int, block: list[str]) -> Question:
    options: list[str] = []
    right: list[int] = []
    explanation: list[str] = []
    for offset, line in enumerate(block[1:], start=1):
        option = _OPTION.fullmatch(line.strip())
        if option:
            if option["mark"] != " ":
                right.append(len(options))
            options.append(option["text"].strip())
        elif line.startswith(">"):
            explanation.append(line[1:].strip())
        elif line.strip():
            raise InputError("In a quiz, write '- [ ] option', '- [x] right option' or '> why'.", line=number + offset)
    if len(options) < 2:
        raise InputError("The question needs two or more options: '- [ ] text'.", line=number)
    if len(right) != 1:
        raise InputError(f"The question needs exactly one right option '- [x]', it has {len(right)}.", line=number)
    return Question(
        text=block[0][4:].strip(), options=tuple(options), answer=right[0], explanation=" ".join(explanation)
    )
