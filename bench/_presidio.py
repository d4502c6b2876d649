"""Presidio as a worker in an environment of its own: texts in, spans and processor time out, one JSON line each.

It imports nothing of Careplane. A line ``[text, ...]`` is answered by ``{"seconds": ..., "found": [[[start, end,
entity], ...], ...]}``; the first line out says that it is ready.
"""

import importlib
import json
import sys
import time
from typing import Any


def main(model: str) -> None:
    """Answer until the input ends."""
    analyzer: Any = importlib.import_module("presidio_analyzer")
    providers: Any = importlib.import_module("presidio_analyzer.nlp_engine")
    tld: Any = importlib.import_module("tldextract.tldextract")
    tld.TLD_EXTRACTOR = tld.TLDExtract(suffix_list_urls=(), cache_dir=None)
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    nlp = providers.NlpEngineProvider(nlp_configuration=settings).create_engine()
    engine = analyzer.AnalyzerEngine(nlp_engine=nlp, supported_languages=["en"])
    engine.analyze(text="Warm up, John Smith.", language="en")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        started = time.process_time()
        results = [engine.analyze(text=text, language="en") for text in texts]
        seconds = time.process_time() - started
        found = [[[one.start, one.end, one.entity_type] for one in result] for result in results]
        print(json.dumps({"seconds": seconds, "found": found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
