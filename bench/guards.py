"""What the guards catch and what they flag for nothing: the tables of their READMEs.

Run ``bench/run guards --shared ../shared``; without the shared data only the sets of the repository are measured.
"""

import argparse
import importlib.util
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from _grounded import FAULTS, charts, quoted, told
from _machine import record
from careplane.records.app import Output
from careplane.records.run import Finding, Source
from careplane.shield.checked import Check, uncited
from careplane.shield.checks import Checked, sentences
from careplane.shield.guards import grounding
from careplane.shield.guards.advice import advice
from careplane.shield.guards.crisis import crises
from careplane.shield.guards.grounding.lexicon import table
from careplane.shield.guards.injection import THRESHOLD, injection_score

REPOSITORY = Path(__file__).resolve().parents[1]
SETS = REPOSITORY / "tests/shield/guards"
SEEDS = (1, 2, 3)
CHECKS = (
    grounding.citations_present,
    grounding.numbers,
    grounding.drugs,
    grounding.laterality,
    grounding.negation,
    grounding.allergies,
)


def main() -> None:
    """Measure every set that is there and record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=REPOSITORY / "../shared")
    parser.add_argument("--show", action="store_true", help="print what was missed or flagged for nothing")
    given = parser.parse_args()
    results: dict[str, Any] = {"crisis": crisis_figures(), "advice": advice_figures()}
    if given.shared.is_dir():
        results["grounding"] = grounding_figures(given.shared / "data/fhir-bulk/synthea79", show=given.show)
        results["dictation"] = dictation_figures(given.shared / "data/privacy")
        results["boundaries"] = boundary_figures(given.shared / "data/privacy")
    record("guards", results)
    for name, part in results.items():
        print(f"\n{name}")
        for row, figures in part.items():
            print(f"  {row:32} {figures}")


def rates(caught: list[bool], alarms: list[bool]) -> dict[str, float | int | None]:
    """Recall over what should be seen, precision over what was."""
    hits, false = sum(caught), sum(alarms)
    return {
        "n": len(caught),
        "recall": round(hits / len(caught), 3) if caught else None,
        "benign": len(alarms),
        "false_alarms": false,
        "precision": round(hits / (hits + false), 3) if hits + false else None,
    }


def rows(name: str) -> list[list[str]]:
    """The rows of a labelled file."""
    lines = (SETS / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def crisis_figures() -> dict[str, Any]:
    """Messages by split and kind."""
    found: dict[str, Any] = {}
    for split in ("dev", "test"):
        mine = [(kind, bool(crises(message))) for part, kind, message in rows("messages.tsv") if part == split]
        alarms = [seen for kind, seen in mine if kind == "none"]
        found[split] = rates([seen for kind, seen in mine if kind != "none"], alarms)
        for kind in ("self_harm", "violence", "abuse", "emergency"):
            seen = [hit for name, hit in mine if name == kind]
            found[f"{split} {kind}"] = {"n": len(seen), "recall": round(sum(seen) / len(seen), 3)}
    return found


def advice_figures() -> dict[str, Any]:
    """Drafts by split."""
    found = {}
    for split in ("dev", "test"):
        mine = [
            (label, bool(advice(checked(draft, (), message))))
            for part, label, message, draft in rows("drafts.tsv")
            if part == split
        ]
        found[split] = rates(
            [hit for label, hit in mine if label == "unsafe"], [hit for label, hit in mine if label == "safe"]
        )
    return found


def checked(text: str, sources: tuple[Source, ...], message: str = "", parts: tuple[str, ...] | None = None) -> Checked:
    """A draft as the checks take it."""
    output = Output(kind="text", citations="required", min_words=0)
    return Checked(text=text, sentences=parts or sentences(text), sources=sources, output=output, request_text=message)


def findings(draft: Checked) -> list[Finding]:
    """All findings of the grounding guards; a sentence without a citation is no finding here."""
    found = (finding for check in CHECKS for finding in check(draft))
    return [finding for finding in found if "cites no source" not in finding.text]


class Grounding:
    """Counts of drafts with and without a fault; ``show`` prints what was missed or flagged for nothing."""

    def __init__(self, *, show: bool) -> None:
        self.show = show
        self.counted: Counter[str] = Counter()
        self.caught: dict[str, list[bool]] = {f"{name}{how}": [] for name in FAULTS for how in ("", ", uncited")}

    def see_sound(self, name: str, text: str, sources: tuple[Source, ...]) -> None:
        """A draft without a fault: every finding is a false alarm."""
        draft = checked(text, sources)
        seen = findings(draft)
        self.counted[f"{name} drafts"] += 1
        self.counted[f"{name} sentences"] += len(draft.sentences)
        self.counted[f"{name} drafts_flagged"] += bool(seen)
        self.counted[f"{name} sentences_flagged"] += len({finding.sentence for finding in seen})
        for finding in seen if self.show else ():
            print("  alarm", finding.check, finding.text, "|", draft.sentences[finding.sentence or 0])

    def see_faulty(self, name: str, parts: list[str], place: int, sources: tuple[Source, ...]) -> None:
        """A draft with a fault in one sentence: caught when that sentence has a finding."""
        seen = findings(checked(" ".join(parts), sources, parts=tuple(parts)))
        self.caught[name].append(any(finding.sentence == place for finding in seen))
        if self.show and not self.caught[name][-1]:
            print("  missed", name, "|", parts[place])

    def figures(self) -> dict[str, Any]:
        """The table."""
        found: dict[str, Any] = {
            name: {"n": len(hits), "recall": round(sum(hits) / max(1, len(hits)), 3)}
            for name, hits in self.caught.items()
        }
        for name in ("quoted", "told", "told uncited"):
            kinds = ("drafts", "drafts_flagged", "sentences", "sentences_flagged")
            found[f"no fault, {name}"] = {kind: self.counted[f"{name} {kind}"] for kind in kinds}
        return found


def grounding_figures(folder: Path, *, show: bool) -> dict[str, Any]:
    """Drafts without a fault, then with one seeded fault each, with and without citations."""
    tally = Grounding(show=show)
    for seed in SEEDS:
        for chart, draw in charts(folder, seed):
            said = " ".join(one.text for one in told(chart, draw))
            for name, text in (("quoted", quoted(chart)), ("told", said), ("told uncited", uncited(said))):
                tally.see_sound(name, text, chart.sources)
            for name, fault in FAULTS.items():
                made = fault(told(chart, draw), chart, draw)
                if made is None:
                    continue
                parts = [one.text for one in made[0]]
                tally.see_faulty(name, parts, made[1], chart.sources)
                tally.see_faulty(f"{name}, uncited", [uncited(part) for part in parts], made[1], chart.sources)
    return tally.figures()


def dictation_figures(folder: Path) -> dict[str, Any]:
    """Notes of visits as drafts and their transcripts as the only source: the hard case, as much of a note is not said.

    A sentence that is not changed and has a finding is a false alarm, whether or not the transcript holds it.
    """
    spoken = _lines(folder / "aci_bench_dialogues_names.jsonl")
    told_of = {row["id"].removeprefix("acid-"): row["text"] for row in spoken}
    tally: dict[str, Counter[str]] = {name: Counter() for name in SWAPS}
    for row in _lines(folder / "aci_bench_notes_names.jsonl"):
        said = told_of.get(row["id"].removeprefix("aci-"))
        if said is None:
            continue
        sources = (Source(n=1, reference="Transcript/1", label="Transcript", text=said),)
        parts = sentences(row["text"])
        for name, (check, pattern, change) in SWAPS.items():
            draw = random.Random(f"{row['id']} {name}")
            hit = {finding.sentence for finding in check(checked(row["text"], sources, parts=parts))}
            places = [i for i, part in enumerate(parts) if pattern.search(part)]
            tally[name].update(sentences=len(places), alarms=sum(i in hit for i in places))
            for i in (place for place in places if place not in hit):
                found = pattern.search(parts[i])
                if found is None:
                    continue
                changed = parts[i][: found.start()] + change(found.group(), draw) + parts[i][found.end() :]
                if changed != parts[i]:
                    seen = check(checked(changed, sources, parts=(changed,)))
                    tally[name].update(faults=1, caught=bool(seen))
    recall = {name: round(counts["caught"] / max(1, counts["faults"]), 3) for name, counts in tally.items()}
    return {name: dict(counts) | {"recall": recall[name]} for name, counts in tally.items()}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


DRUGS = sorted(name for name in table() if " " not in name and "-" not in name)
SWAPS: dict[str, tuple[Check, re.Pattern[str], Callable[[str, random.Random], str]]] = {
    "drug altered": (
        grounding.drugs,
        re.compile(rf"\b(?:{'|'.join(DRUGS)})\b", re.IGNORECASE),
        lambda word, draw: draw.choice([name for name in DRUGS if name != word.lower()]),
    ),
    "number altered": (
        grounding.numbers,
        re.compile(r"(?<![\d/.-])\d+(?:\.\d+)?(?![\d/.-])"),
        lambda word, draw: f"{float(word) * draw.choice((1.3, 2, 10)) + 1:g}",
    ),
    "side swapped": (
        grounding.laterality,
        re.compile(r"\b(?:left|right)\b"),
        lambda word, _draw: "right" if word == "left" else "left",
    ),
}


def boundary_figures(folder: Path) -> dict[str, Any]:
    """A model that obeys every line, on every attacked chart, without any detector."""
    model, test = _module("obedient"), _module("test_obedient_model")
    found = {}
    for name in ("inj_chart_bipia", "inj_chart_clinical"):
        tally: Counter[str] = Counter()
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            chart = json.loads(line)["text"]
            shown, passed, denied = test.run(model, chart, 40)
            tally["charts"] += 1
            tally["tool_calls_denied"] += len(denied)
            tally["forbidden_tool_calls"] += len(passed)
            tally["foreign_links"] += len(test.foreign(shown))
            tally["flagged_by_the_signal"] += injection_score(chart) >= THRESHOLD
        found[name] = dict(tally)
    return found


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SETS / f"{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"there is no {name}.py in {SETS}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
