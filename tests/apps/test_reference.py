"""The reference page names every field of the manifest."""

from pathlib import Path

import msgspec
import pytest

from careplane.records.app import AppSpec

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/app-yaml.md").read_text()


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(AppSpec)])
def test_field_is_explained(field: str) -> None:
    assert f"`{field}`" in PAGE
