"""Shelves: items are found by folder, and a stranger's package joins by entry point."""

import sys
from pathlib import Path

import pytest

from careplane._shelf import SHELVES, folder, items, load
from careplane.errors import NotFound


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package of another distribution with one provider and one app."""
    package = tmp_path / "site_items"
    for name in ("", "echo", "_private"):
        (package / "providers" / name).mkdir(parents=True, exist_ok=True)
        (package / "providers" / name / "__init__.py").write_text("NAME = 'echo'\n", encoding="utf-8")
    (package / "apps" / "our_idea").mkdir(parents=True)
    (package / "apps" / "our_idea" / "app.yaml").write_text("id: our_idea\n", encoding="utf-8")
    (package / "apps" / "notes").mkdir()
    (package / "apps" / "__init__.py").write_text("", encoding="utf-8")
    (package / "__init__.py").write_text("", encoding="utf-8")
    info = tmp_path / "site_items-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site-items\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[careplane.providers]\nsite = site_items.providers\n[careplane.apps]\nsite = site_items.apps\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "site_items"]:
        monkeypatch.delitem(sys.modules, name)
    return package


def test_every_shelf_opens_and_is_sorted() -> None:
    for shelf in SHELVES:
        names = list(items(shelf))
        assert names == sorted(names)


def test_core_items_use_the_same_door() -> None:
    assert "scripted" in items("providers")
    assert load("providers", "scripted").__name__ == "careplane.providers.scripted"
    assert (folder("apps", "portal_reply") / "app.yaml").exists()


def test_strangers_items_are_found_and_loaded(stranger: Path) -> None:
    assert load("providers", "echo").NAME == "echo"
    assert folder("apps", "our_idea") == stranger / "apps" / "our_idea"


def test_private_folders_and_folders_without_the_marker_are_no_items(stranger: Path) -> None:
    assert "_private" not in items("providers")
    assert "notes" not in items("apps")


def test_listing_imports_no_item(stranger: Path) -> None:
    items("providers")
    assert "site_items.providers.echo" not in sys.modules


def test_site_package_replaces_an_item_of_the_core(stranger: Path) -> None:
    (stranger / "apps" / "portal_reply").mkdir()
    (stranger / "apps" / "portal_reply" / "app.yaml").write_text("id: portal_reply\n", encoding="utf-8")
    assert folder("apps", "portal_reply") == stranger / "apps" / "portal_reply"


def test_missing_item_names_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"Did you mean .*scripted"):
        load("providers", "scriptd")
