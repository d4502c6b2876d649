"""Drugs and doses: what a draft says a patient takes, against what the chart holds."""

from collections.abc import Iterator, Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked, uncited
from careplane.shield.guards.grounding.claims import DOSE_UNITS, finding, whole
from careplane.shield.guards.grounding.lexicon import classes_in, classes_of, drugs_in, members, misspelt, words_of
from careplane.shield.guards.grounding.quantities import Quantity, quantities_in, same_mass, same_value

_GENERAL = frozenset({"hormone", "vitamin", "iron", "inhaler", "electrolyte", "estrogen", "stimulant", "salicylate"})
"""Classes that are also everyday words."""


def drugs(checked: Checked) -> Sequence[Finding]:
    """A drug or a class that no source names, a misspelt name, and a dose that no source gives for the drug."""
    texts = [*(whole(source) for source in checked.sources), checked.request_text]
    held = [(drugs_in(text), text) for text in texts]
    known = set[str]().union(*(names for names, _ in held))
    spelt = set[str]().union(*map(words_of, texts))
    classes = set[str]().union(*map(classes_in, texts), *map(classes_of, known))
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        named = drugs_in(sentence)
        unknown = {drug for drug in named - known if drug not in classes}
        found += [finding("drugs", "critical", f"“{drug}” is in no source.", i) for drug in sorted(unknown)]
        found += _misspelt(sentence, spelt, known, i)
        for name in sorted(classes_in(sentence) - classes - _GENERAL):
            if not members(name) & known:
                found.append(finding("drugs", "caution", f"No source names a {name}.", i))
        found += [finding("drugs", "critical", text, i) for text in _doses(sentence, named, known, held)]
    return found


def _misspelt(sentence: str, spelt: set[str], known: set[str], i: int) -> Iterator[Finding]:
    for word, drug in sorted(misspelt(sentence, spelt).items()):
        if drug in known:
            yield finding("drugs", "caution", f"“{word}” looks like {drug}, misspelt.", i)
        else:
            yield finding("drugs", "critical", f"“{word}” looks like {drug}, which is in no source.", i)


def _doses(sentence: str, named: set[str], known: set[str], held: Sequence[tuple[set[str], str]]) -> Iterator[str]:
    """Doses of the one drug that a sentence names and that no text about that drug gives."""
    if len(named) != 1 or not named <= known:
        return
    of_named = [dose for names, text in held if names & named for dose in quantities_in(text, spelt=True)]
    for dose in quantities_in(uncited(sentence)):
        if dose.unit in DOSE_UNITS and not any(_same(dose, one) for one in of_named):
            yield f"No source gives {dose.shown} of {next(iter(named))}."


def _same(said: Quantity, known: Quantity) -> bool:
    if same_mass(said, known):
        return True
    return said.unit in (known.unit, "") and same_value(said.value, known.value)
