"""Leftovers: placeholders of the PHI shield, and words of the prompt, that came through into a draft."""

import re
from collections.abc import Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked

_SURROGATE = re.compile(
    r"\\?\[?(?:NAME|GEO|STREET|DATE|PHONE|EMAIL|SSN|MRN|PLAN|ACCOUNT|LICENSE|DEVICE|VEHICLE|URL|IP|AGE|OTHERID)"
    r"[-_ ]\d{3,6}(?:-\d+)?\\?\]?"
)
_ECHO = re.compile(
    r"^\s*(?:TASK:|LANGUAGE:|<\/?(?:message|sources)>)|<\/?(?:message|sources)>|you are (?:an?|the) (?:ai|assistant)"
    r"|as an ai\b|my instructions|system prompt|here is (?:the|a) (?:draft|reply|summary)",
    re.I | re.M,
)


def surrogates(checked: Checked) -> Sequence[Finding]:
    """A placeholder of the shield that was not turned back into its original."""
    return tuple(
        Finding(
            check="surrogates",
            severity="critical",
            text=f"The draft holds the placeholder {found.group()}, which stands for something in the chart.",
            sentence=i,
        )
        for i, sentence in enumerate(checked.sentences)
        for found in _SURROGATE.finditer(sentence)
        if found.group() not in checked.request_text
    )


def echo(checked: Checked) -> Sequence[Finding]:
    """The prompt's own words in the draft, or the model speaking about itself."""
    return tuple(
        Finding(check="echo", severity="caution", text="The draft speaks of its own instructions.", sentence=i)
        for i, sentence in enumerate(checked.sentences)
        if _ECHO.search(sentence)
    )
