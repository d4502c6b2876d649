"""The frame: rules of the house that no linter checks."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src/careplane"
MODULES = sorted(SOURCE.rglob("*.py"))
CORE = [path for path in MODULES if "tests" not in path.parts]
MAX_LINES = 600
BANNED_NAMES = {"helpers", "helper", "utils", "util", "manager", "misc", "common", "base"}


@pytest.mark.parametrize(
    "package", [path for path in CORE if path.name == "__init__.py"], ids=lambda path: path.parent.name
)
def test_every_package_says_what_lives_there(package: Path) -> None:
    assert ast.get_docstring(ast.parse(package.read_text(encoding="utf-8")))


def test_every_module_has_a_docstring() -> None:
    without = [str(path) for path in CORE if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert without == []


def test_no_file_is_long() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_names_are_of_the_field() -> None:
    assert [str(path) for path in MODULES if path.stem.strip("_") in BANNED_NAMES] == []


def test_no_broad_except() -> None:
    broad = []
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                broad.append(f"{path}:{node.lineno}")
    assert broad == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Catches everything and does not raise again."""
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {"all"}
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    return bool(names & {"Exception", "BaseException", "all"}) and not raises


def test_only_settings_reads_the_environment() -> None:
    readers = []
    for path in CORE:
        text = path.read_text(encoding="utf-8")
        if path != SOURCE / "settings.py" and ("os.environ" in text or "os.getenv" in text):
            readers.append(str(path))
    assert readers == []


def test_repository_names_no_place_of_its_making() -> None:
    words = ("/work/", "/root/")
    scripts = [path for path in REPOSITORY.glob("scripts/**/*") if path.is_file() and path.suffix in ("", ".py", ".md")]
    texts = [*CORE, *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("*.md"), *scripts]
    assert [str(path) for path in texts if any(word in path.read_text(encoding="utf-8") for word in words)] == []


def test_python_items_of_shelves_carry_their_own_tests() -> None:
    without = [
        str(item)
        for shelf in ("connectors", "measures", "estimators", "providers")
        for item in sorted((SOURCE / shelf).iterdir())
        if (item / "__init__.py").exists() and not list((item / "tests").glob("test_*.py"))
    ]
    assert without == []
