"""The labelled corpora: reading them, and the chart context that some of them bring."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPORA = ("asq_phi", "ctxnotes_fhir_context", "aci_bench_notes_names", "aci_bench_dialogues_names")
HELD_OUT = "presidio_research_synth_v2"
"""Never trained on: a check on texts of another kind."""


@dataclass(frozen=True)
class Document:
    """A text; spans are start, end and category (NAME, GEO, ...), ``labelled`` is the line of the corpus."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    labelled: dict[str, Any]


def read(folder: Path, name: str) -> list[Document]:
    """The documents of a corpus."""
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_document(json.loads(line)) for line in lines]


def _document(line: dict[str, Any]) -> Document:
    spans = tuple(sorted((span["start"], span["end"], span["cat"]) for span in line["spans"]))
    return Document(line["text"], spans, line)


def chart(document: Document) -> Sequence[dict[str, Any]]:
    """The FHIR resources of a document of ACI-Bench: the patient and the doctor, as its own metadata name them."""
    return list(_people(document.labelled.get("ctx") or {}))


def _people(ctx: dict[str, Any]) -> Iterator[dict[str, Any]]:
    given, family = ctx.get("given") or "", ctx.get("family") or ""
    if given or family:
        yield {"resourceType": "Patient", "name": [{"family": family, "given": [given] if given else []}]}
    for name in ctx.get("clinicians") or ():
        yield {"resourceType": "Practitioner", "name": [{"text": name}]}
