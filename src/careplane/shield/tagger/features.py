"""What the tagger looks at for a word: the word, its form, its neighbours, and what the lists say of them."""

from collections.abc import Mapping

from careplane.shield.lexicon import drugs_in
from careplane.shield.tagger.tokens import TITLES, Tokens
from careplane.shield.variants import MONTHS

_MONTHS = frozenset({form for forms in MONTHS for form in forms} - {"may"})


def features(tokens: Tokens, i: int, known: Mapping[str, int]) -> list[str]:
    """The features of word ``i``."""
    lows, written, flags = tokens.lows, tokens.written, tokens.flags
    low, word, here = lows[i], written[i], flags[i]
    count = len(lows)
    before, after = _context(lows[i - 1] if i else "\n"), _context(lows[i + 1] if i + 1 < count else "\n")
    before2, after2 = _context(lows[i - 2] if i > 1 else "\n"), _context(lows[i + 2] if i + 2 < count else "\n")
    before3 = _context(lows[i - 3] if i > 2 else "\n")
    form = _form(word)
    mode = "l" if tokens.in_lower_case else "c"
    following = f"{_form(written[i + 1])}{flags[i + 1]:x}" if i + 1 < count else ""
    preceding = f"{_form(written[i - 1])}{flags[i - 1]:x}" if i else ""
    out = [
        "b", f"w={low}", f"f={form}", f"k={here:x}", f"kf={here:x}{form}{mode}", f"s3={low[-3:]}", f"s4={low[-4:]}",
        f"p3={low[:3]}", f"-1={before}", f"+1={after}", f"-1k={before}|{here:x}|{form}", f"+1k={after}|{here:x}|{form}",
        f"-2={before2}|{before}", f"+2={after}|{after2}", f"-3={before3}|{before2}|{before}",
        f"-2f={before2}|{before}|{form}",
        f"+2f={after}|{after2}|{form}", f"-+={before}|{after}|{form}", f"-k={preceding}|{here:x}{form}",
        f"+k={here:x}{form}|{following}", f"w-={before}|{low}", f"w+={low}|{after}", f"-2w={before2}", f"+2w={after2}",
    ]  # fmt: skip
    if (before == "." and before2 in TITLES) or before in TITLES:
        out.append(f"title{form}")
    if i + 1 < count and known.get(f"{low} {lows[i + 1]}", 0):
        out.append("town2")
    if i and known.get(f"{lows[i - 1]} {low}", 0):
        out.append("town-2")
    if len(low) > 5 and drugs_in(low):
        out.append("drug")
    return out


def _context(low: str) -> str:
    """A neighbour, with numbers and months as one word each."""
    if low[0].isdigit():
        return "0/" if "/" in low or low.count("-") == 2 else "0000" if len(low) == 4 else "0"
    if low[0] == "\n":
        return "line"
    return "month" if low in _MONTHS else low


def _form(word: str) -> str:
    if word.islower():
        return "x"
    if word[0] == "\n":
        return "line"
    if len(word) == 1:
        return "X" if word.isalpha() else word
    if word.isupper():
        return "XX" if len(word) < 6 else "XXX"
    if word[0].isupper():
        return "Xx" if word[1:].islower() else "XxX"
    return "0" if word[0].isdigit() else "."
