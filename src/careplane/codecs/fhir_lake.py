"""The manifest of the lake: which Parquet parts under ``<home>/fhir`` hold loaded FHIR resources.

Only parts named here count; anything else in the folder is the leftover of a load that was cut off. The manifest is
replaced as a whole (write, fsync, rename), so a reader sees a load completely or not at all.

Columns of a part: ``id``, ``patient`` (id of the patient or null), ``last_updated`` (as written or null), ``resource``
(the JSON text exactly as it was loaded), ``source`` (file), ``line``, ``hash`` (MD5 of the text, to tell
versions apart), ``refs`` (literal references in the resource).
"""

from typing import Literal

import msgspec

from careplane.errors import DataError
from careplane.records import Record

FOLDER = "fhir"
"""Folder of the lake inside the home."""

MANIFEST = "manifest.json"
"""Name of the manifest inside the folder of the lake."""


class Part(Record, frozen=True):
    """One complete Parquet file: ``path`` is relative to the folder of the lake."""

    path: str
    type: str
    rows: int


class Manifest(Record, frozen=True):
    """All complete parts. ``serial`` numbers the commits and the next part."""

    version: Literal[1] = 1
    serial: int = 0
    parts: tuple[Part, ...] = ()

    def of_type(self, resource_type: str) -> tuple[Part, ...]:
        """The parts of one resource type."""
        return tuple(part for part in self.parts if part.type == resource_type)


def decode_manifest(data: bytes, file: str) -> Manifest:
    """A manifest from its bytes.

    Raises:
        DataError: the bytes are not a manifest of a version this release knows; names ``file``.
    """
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise DataError(f"not a manifest that this version reads: {error}", file=file) from error


def encode_manifest(manifest: Manifest) -> bytes:
    """A manifest as readable JSON, one field per line."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
