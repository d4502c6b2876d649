"""A message as a letter to print: for patients who are reached by no other channel. Self-contained HTML."""

from html import escape

from careplane.records.message import Message
from careplane.workflow.messaging.addressing import Contact

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{subject}</title>
<style>
@page {{ size: letter; margin: 25mm 22mm; }}
body {{ font: 12pt/1.5 Georgia, "Times New Roman", serif; color: #000; background: #fff; }}
body {{ max-width: 42em; margin: 2em auto; }}
address {{ font-style: normal; margin: 3em 0 2em; min-height: 6em; }}
header, footer {{ font-size: 10pt; }}
footer {{ margin-top: 3em; border-top: 1px solid #000; padding-top: .5em; }}
p {{ margin: 0 0 1em; }}
</style>
</head>
<body>
<header>{site}<br>{date}</header>
<address>{address}</address>
<main>
{paragraphs}
</main>
<footer>{foot}</footer>
</body>
</html>
"""
_FOOT = {"en": "Reference: {run}", "es": "Referencia: {run}"}
_SYNTHETIC = " · synthetic data, not for a real patient"


def letter(message: Message, contact: Contact, site: str) -> str:
    """The letter of a message.

    Args:
        message: one that was planned; ``whole`` is what the letter says.
        contact: to whom.
        site: from whom.
    """
    foot = _FOOT.get(message.language.partition("-")[0], _FOOT["en"]).format(run=message.run)
    lines = (contact.name, *contact.address)
    paragraphs = (part.strip() for part in message.whole.split("\n\n"))
    return _PAGE.format(
        language=escape(message.language, quote=True),
        subject=escape(message.subject or site),
        site=escape(site),
        date=f"{message.signed_at:%Y-%m-%d}",
        address="<br>".join(escape(line) for line in lines if line),
        paragraphs="\n".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>" for part in paragraphs if part),
        foot=escape(foot) + (_SYNTHETIC if message.synthetic else ""),
    )
