"""Drug-like words: USAN stems, common names that carry none (``drug_names.txt``), and brands of the same drug.

Source of the stems: USAN Council, "Approved stems" (public list of the American Medical Association).
"""

import re
from importlib.resources import files

_STEM = re.compile(
    r"[a-z]{2,}(?:pril|sartan|statin|olol|azole|cillin|mycin|micin|floxacin|gliptin|gliflozin|glutide|dipine|zepam|zolam"
    r"|oxetine|triptan|parin|xaban|gatran|tinib|ciclovir|prazole|tidine|setron|thiazide|semide|lukast|codone|morphone"
    r"|profen|coxib|dronate|terol|solone|formin|gabalin|pentin|zosin|barbital|cycline|stigmine|lamide|grelor|idone"
    r"|tropium|glitazone|fibrate|zolidone|alopram|triptyline|ipramine|azine|sone|umab|ximab|zumab)"
)
_NOT_DRUGS = frozenset(
    {"april", "magazine", "someone", "anyone", "none", "done", "gone", "phone", "telephone", "headphone", "stone"}
    | {"bone", "backbone", "zone", "hormone", "milestone", "gallstone", "cornerstone", "person", "reason"}
)
_COMMON = frozenset(files(__package__).joinpath("drug_names.txt").read_text(encoding="utf-8").split())
_BRANDS = {
    "tylenol": "acetaminophen",
    "paracetamol": "acetaminophen",
    "advil": "ibuprofen",
    "motrin": "ibuprofen",
    "aleve": "naproxen",
    "lasix": "furosemide",
    "lipitor": "atorvastatin",
    "zocor": "simvastatin",
    "coumadin": "warfarin",
    "eliquis": "apixaban",
    "xarelto": "rivaroxaban",
    "plavix": "clopidogrel",
    "synthroid": "levothyroxine",
    "zoloft": "sertraline",
    "ozempic": "semaglutide",
    "glucophage": "metformin",
    "norvasc": "amlodipine",
    "prilosec": "omeprazole",
    "ventolin": "albuterol",
    "salbutamol": "albuterol",
}
_WORD = re.compile(r"[a-z][a-z-]{3,}[a-z]")


def drugs_in(text: str) -> set[str]:
    """The drug-like words of a text, in lower case, brands turned into their generic name."""
    words = (_BRANDS.get(word, word) for word in _WORD.findall(text.lower()))
    return {word for word in words if word in _COMMON or (word not in _NOT_DRUGS and _STEM.fullmatch(word))}
