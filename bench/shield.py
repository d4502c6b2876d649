#!/usr/bin/env python3
"""The shield's detection beside Presidio: processor time in one alternating run, and what each finds.

Notes come with their FHIR chart, queries without one. Time is processor time of one process; building the detector of a
chart counts as well (``cold``), since it is new for each note here; ``cached`` is what the next text of a chart costs.
Recall and over-redaction are those of the scorer of the corpora. The shipped tagger was trained on three of these
corpora, so with the tagger only the corpus it never saw is scored here; its cross-validated figures come from
``scripts/train-tagger --cross-validate`` and stand in its model card.
"""

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from _machine import record
from _peers import PRESIDIO, SPACY_MODEL, NotInstalled, peer
from careplane.shield.detect import Detector
from careplane.shield.identifiers import known_identifiers
from careplane.shield.spans import Span

SHARED = Path(__file__).resolve().parents[2] / "shared"
ROUNDS, NOTES, QUERIES = 3, 30, 150
CORPORA = ("ctxnotes_fhir_context", "asq_phi", "presidio_research_synth_v2")
NEVER_TRAINED_ON = "presidio_research_synth_v2"
GOALS = {"notes": (20, 8), "queries": (30, 8)}
_KEPT = {"PERSON": "NAME", "LOCATION": "GEO", "DATE_TIME": "DATE"}
_Chart = Sequence[dict[str, Any]]
_Found = list[list[dict[str, Any]]]


class Finds(Protocol):
    def __call__(self, texts: Sequence[str], charts: Sequence[_Chart]) -> tuple[float, _Found]: ...


class Presidio:
    """The peer, in its own environment; ``text`` and nothing else goes in."""

    def __init__(self) -> None:
        """Install it if need be, and wait until it is ready."""
        python = peer("presidio", PRESIDIO) / "bin" / "python"
        worker = Path(__file__).with_name("_presidio.py")
        self._process = subprocess.Popen(
            [python, worker, SPACY_MODEL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._said()

    def __call__(self, texts: Sequence[str], charts: Sequence[_Chart]) -> tuple[float, _Found]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(texts)) + "\n")
        self._process.stdin.flush()
        said = self._said()
        return said["seconds"], [
            [{"start": start, "end": end, "category": _KEPT.get(kind, kind)} for start, end, kind in spans]
            for spans in said["found"]
        ]

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotInstalled(f"Presidio ended with code {self._process.wait()}; see above")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def careplane(*, tagger: bool, chart: bool = True) -> Finds:
    """Our own detection; each text brings its chart."""

    def find(texts: Sequence[str], charts: Sequence[_Chart]) -> tuple[float, _Found]:
        started = time.process_time()
        found = [
            Detector(known_identifiers(resources if chart else ()), tagger=tagger).find(text)
            for text, resources in zip(texts, charts, strict=True)
        ]
        return time.process_time() - started, [[_printed(span) for span in spans] for spans in found]

    return find


def _printed(span: Span) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "category": "GEO" if span.category == "STREET" else span.category}


def _tool(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, SHARED / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(name: str, bundle: Callable[[Any], Any]) -> tuple[list[dict[str, Any]], list[str], list[_Chart]]:
    lines = (SHARED / "data" / "privacy" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    charts: list[_Chart] = [
        [entry["resource"] for entry in bundle(document["ctx"])["entry"]] if document.get("ctx") else []
        for document in documents
    ]
    return documents, [document["text"] for document in documents], charts


def speed(presidio: Presidio | None, corpora: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of processor time per text, and ratios taken within each round."""
    sets = {
        "notes": tuple(part[:NOTES] for part in corpora["ctxnotes_fhir_context"][1:]),
        "queries": tuple(part[:QUERIES] for part in corpora["asq_phi"][1:]),
    }
    ours = {"tagger_off": careplane(tagger=False), "tagger_on": careplane(tagger=True)}
    results: dict[str, Any] = {}
    for kind, (texts, charts) in sets.items():
        spent: dict[str, list[float]] = {"presidio": [], **{name: [] for name in ours}}
        for find in ours.values():
            find(texts[:3], charts[:3])
        for _ in range(ROUNDS):
            for name, find in ours.items():
                spent[name].append(find(texts, charts)[0] / len(texts) * 1000)
            if presidio is not None:
                spent["presidio"].append(presidio(texts, charts)[0] / len(texts) * 1000)
        results[kind] = {f"{name}_ms": round(statistics.median(taken), 3) for name, taken in spent.items() if taken}
        for name, goal in zip(ours, GOALS[kind], strict=True):
            ratios = [theirs / mine for theirs, mine in zip(spent["presidio"], spent[name], strict=False)]
            if ratios:
                ratio = round(statistics.median(ratios), 1)
                results[kind] |= {f"{name}_times_faster": ratio, f"{name}_goal": goal, f"{name}_reached": ratio >= goal}
    return results


def cached(corpora: dict[str, Any]) -> dict[str, float]:
    """Microseconds of processor time for 2 kB of a note whose chart is known already."""
    _, texts, charts = corpora["ctxnotes_fhir_context"]
    out = {}
    for name, tagger in (("tagger_off", False), ("tagger_on", True)):
        took = []
        for text, chart in list(zip(texts, charts, strict=True))[:20]:
            detector = Detector(known_identifiers(chart), tagger=tagger)
            detector.find(text[:2000])
            started = time.process_time()
            for _ in range(50):
                detector.find(text[:2000])
            took.append((time.process_time() - started) / 50 * 1e6)
        out[f"{name}_us"] = round(statistics.median(took), 1)
    return out


def quality(presidio: Presidio | None, corpora: dict[str, Any]) -> dict[str, Any]:
    """Recall, precision and over-redaction of each corpus."""
    score = _tool("phi_score").score
    results: dict[str, Any] = {}
    for name, (documents, texts, charts) in corpora.items():
        finders: dict[str, Finds] = {
            "patterns": careplane(tagger=False, chart=False),
            "chart_and_patterns": careplane(tagger=False),
        }
        if name == NEVER_TRAINED_ON:
            finders["with_tagger"] = careplane(tagger=True)
        if presidio is not None:
            finders["presidio"] = presidio
        for kind, find in finders.items():
            found = find(texts, charts)[1]
            idents = (document.get("id", str(n)) for n, document in enumerate(documents))
            scored = score(documents, dict(zip(idents, found, strict=True)))
            results.setdefault(name, {})[kind] = {
                what: round(scored[what], 4) for what in ("recall", "precision", "over", "hard_negatives_touched")
            }
    return results


def main() -> int:
    """Measure and record."""
    if not SHARED.is_dir():
        print("shield: the folder 'shared' with the corpora is not beside the repository", file=sys.stderr)
        return 1
    bundle = _tool("phi_cases").bundle
    corpora = {name: _read(name, bundle) for name in CORPORA}
    presidio, missing = None, None
    try:
        presidio = Presidio()
    except NotInstalled as error:
        missing = str(error)
        print(f"shield: without Presidio: {error}", file=sys.stderr)
    results = {
        "speed": speed(presidio, corpora),
        "cached_chart": cached(corpora),
        "quality": quality(presidio, corpora),
    }
    if presidio is not None:
        presidio.close()
    record("shield", results | ({"presidio": missing} if missing else {"presidio": PRESIDIO[0]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
