"""Output checks on the form of a draft: is it there, whole, of the right length, readable, with the agreed phrases?"""

import re
from collections import Counter
from collections.abc import Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked, uncited

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_VOWELS = re.compile(r"[aeiouy]+")
_SPANISH = frozenset({"de", "que", "la", "el", "los", "su", "para", "con", "una", "por"})
_ENDINGS = (".", "!", "?", ")", "]", '"', ":", "*", "”")


def empty(checked: Checked) -> Sequence[Finding]:
    """A draft without a word."""
    if _WORD.search(checked.text):
        return ()
    return (Finding(check="empty", severity="critical", text="The model returned no text."),)


def truncated(checked: Checked) -> Sequence[Finding]:
    """A draft that is not whole: the model reached its limit, or it stops in the middle of a sentence."""
    place = max(len(checked.sentences) - 1, 0)
    if checked.cut:
        text = "The model reached its limit of tokens, so the draft is not whole."
        return (Finding(check="truncated", severity="critical", text=text, sentence=place),)
    last = checked.text.rstrip().rsplit("\n", 1)[-1]
    if not last or last.endswith(_ENDINGS) or len(_WORD.findall(last)) <= 6:
        return ()
    text = "The draft stops in the middle of a sentence."
    return (Finding(check="truncated", severity="critical", text=text, sentence=place),)


def length(checked: Checked) -> Sequence[Finding]:
    """Fewer or more words than the app allows."""
    words = len(_WORD.findall(uncited(checked.text)))
    output = checked.output
    if words < output.min_words:
        text = f"The draft has {words} words; the app asks for at least {output.min_words}."
    elif words > output.max_words:
        text = f"The draft has {words} words; the app allows {output.max_words}."
    else:
        return ()
    return (Finding(check="length", severity="caution", text=text),)


def repetition(checked: Checked) -> Sequence[Finding]:
    """The same sentence again and again, as small models do when they loop."""
    seen = Counter(uncited(sentence).lower() for sentence in checked.sentences if len(_WORD.findall(sentence)) >= 4)
    if not seen:
        return ()
    sentence, times = seen.most_common(1)[0]
    if times < 3:
        return ()
    where = next(i for i, text in enumerate(checked.sentences) if uncited(text).lower() == sentence)
    text = f"The draft says the same sentence {times} times."
    return (Finding(check="repetition", severity="caution", text=text, sentence=where),)


def reading_grade(checked: Checked) -> Sequence[Finding]:
    """Harder to read than the app allows (English only; the formula does not hold for other languages)."""
    limit = checked.output.max_reading_grade
    grade = grade_of(checked.text, len(checked.sentences)) if limit is not None else None
    if limit is None or grade is None or grade <= limit:
        return ()
    text = f"The draft reads at grade {grade:.1f}; the app asks for grade {limit:g} or easier."
    return (Finding(check="reading_grade", severity="caution", text=text),)


def grade_of(text: str, sentence_count: int) -> float | None:
    """The US school grade of an English text without its citations; ``None`` for one under 20 words or in Spanish."""
    words = [word.lower() for word in _WORD.findall(uncited(text))]
    if len(words) < 20 or sum(word in _SPANISH for word in words) > 0.08 * len(words):
        return None
    return flesch_kincaid_grade(words, max(1, sentence_count))


def flesch_kincaid_grade(words: Sequence[str], sentence_count: int) -> float:
    """US school grade: 0.39 words/sentence + 11.8 syllables/word - 15.59 (Kincaid et al. 1975, Navy report 8-75)."""
    syllables = sum(count_syllables(word) for word in words)
    return 0.39 * len(words) / sentence_count + 11.8 * syllables / len(words) - 15.59


def count_syllables(word: str) -> int:
    """Syllables of a lower-case English word: groups of vowels, less a silent final ``e``."""
    groups = len(_VOWELS.findall(word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    return max(1, groups)


def phrases(checked: Checked) -> Sequence[Finding]:
    """A required phrase that is missing, or a forbidden one that is there; letter case does not matter."""
    text = checked.text.lower()
    missing = [phrase for phrase in checked.output.required_phrases if phrase.lower() not in text]
    present = [phrase for phrase in checked.output.forbidden_phrases if phrase.lower() in text]
    return (
        *(_phrase(checked, phrase, f"The draft lacks the required phrase “{phrase}”.") for phrase in missing),
        *(_phrase(checked, phrase, f"The draft uses the forbidden phrase “{phrase}”.") for phrase in present),
    )


def _phrase(checked: Checked, phrase: str, text: str) -> Finding:
    where = next((i for i, sentence in enumerate(checked.sentences) if phrase.lower() in sentence.lower()), None)
    return Finding(check="phrases", severity="caution", text=text, sentence=where)
