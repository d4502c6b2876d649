"""An e-mail as RFC 5322 text: one person, plain text, headers that nothing can be smuggled into."""

import hashlib
from datetime import datetime
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from careplane.errors import InputError
from careplane.records.message import Outgoing

LONGEST_SUBJECT = 200


def compose(message: Outgoing, sender: Address, at: datetime) -> EmailMessage:
    """The e-mail of a message.

    ``Message-ID`` follows from the message's id, so that a repeat is known as one wherever mail is sorted by it.
    ``List-Unsubscribe`` and ``List-Unsubscribe-Post`` are RFC 2369 and 8058 (one click).

    Raises:
        InputError: the address is none, or a header would break a line.
    """
    mail = EmailMessage(policy=SMTP)
    fields = {
        "From": sender,
        "To": _recipient(message.to),
        "Subject": _subject(message.subject),
        "Date": at,
        "Message-ID": message_id(message.id, sender.domain),
        "Auto-Submitted": "auto-generated",
    }
    if message.unsubscribe:
        fields["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        fields["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    try:
        for name, value in fields.items():
            mail[name] = value
        mail.set_content(message.text, charset="utf-8")
        mail["Content-Language"] = message.language
    except (ValueError, MessageError) as error:
        raise InputError("cannot be written as a header of a mail", field="message") from error
    return mail


def message_id(ident: str, domain: str) -> str:
    """``<digest@domain>``: the same for the same message, and nothing of it can be read from the outside."""
    return f"<{hashlib.sha256(ident.encode()).hexdigest()[:32]}@{domain}>"


def _recipient(text: str) -> Address:
    if not text.isprintable() or "," in text or ";" in text:
        raise InputError("must be one e-mail address", field="to")
    try:
        address = Address(addr_spec=text.strip())
    except (ValueError, IndexError, HeaderParseError) as error:
        raise InputError("is not an e-mail address", field="to") from error
    if not address.username or ("." not in address.domain and address.domain != "localhost"):
        raise InputError("is not an e-mail address", field="to")
    return address


def _subject(text: str) -> str:
    if not text.isprintable():
        raise InputError("must be one line", field="subject")
    return text[:LONGEST_SUBJECT]
