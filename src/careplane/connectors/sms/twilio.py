"""The shape of Twilio's Programmable Messaging API (version 2010-04-01).

``POST /2010-04-01/Accounts/{sid}/Messages.json`` with a form (``To``, ``From`` or ``MessagingServiceSid``, ``Body``,
``StatusCallback``) and basic authentication; 201 with ``sid`` and ``status``, or an error with ``code``. Call-backs are
forms signed in ``X-Twilio-Signature``: base64 of HMAC-SHA1, keyed with the account's token, over the URL followed by
every name and value in the order of names (www.twilio.com/docs/usage/security).
"""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import quote

import msgspec

from careplane.connectors.sms.shape import Form, Inbound, Status
from careplane.errors import InputError
from careplane.records.message import Delivery

STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
START_WORDS = frozenset({"start", "yes", "unstop"})
HELP_WORDS = frozenset({"help", "info"})
"""The provider's default words; STOP, START and HELP are those that United States carriers ask for."""

REASONS: Final = {
    "20003": "The provider does not accept our credentials.",
    "21211": "The number is not one that the provider can reach.",
    "21217": "The number is not one that the provider can reach.",
    "21408": "The account may not send to that country.",
    "21606": "Our sender's number may not send text messages.",
    "21610": "The recipient has opted out of text messages from us.",
    "21612": "The provider cannot reach that number from ours.",
    "21614": "The number is no mobile number.",
    "21617": "The text is longer than the provider takes.",
    "30003": "The telephone was off or out of reach.",
    "30004": "The recipient blocks messages.",
    "30005": "The number does not exist.",
    "30006": "The number is a landline or cannot be reached.",
    "30007": "A carrier filtered the message.",
    "30008": "The carrier did not say why the message was not delivered.",
}
OPTED_OUT = "21610"
_AGAIN = frozenset({408, 425, 429, 503})


class _Answer(msgspec.Struct):
    sid: str = ""
    status: str | int = ""
    code: int | None = None
    error_code: int | None = None


class Twilio:
    """A :class:`careplane.connectors.sms.shape.Shape`."""

    base_url = "https://api.twilio.com"

    def __init__(self, account: str, callback_secret: str, sender: str, status_url: str = "") -> None:
        self._path = f"/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._secret = callback_secret.encode()
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}
        self._status = {"StatusCallback": status_url} if status_url else {}

    def request(self, to: str, text: str) -> tuple[str, dict[str, str]]:
        """Path and form that send a text to a number."""
        return self._path, {"To": to, **self._sender, "Body": text, **self._status}

    def delivery(self, status: int, body: bytes) -> Delivery:
        """What the answer means: 2xx accepted; 408, 425, 429 and 503 later; other 5xx uncertain; other 4xx refused.

        Credentials that do not hold are ours to mend and not the recipient's, so such a message waits. A 2xx that is no
        answer of this interface is uncertain: a proxy may have answered in the provider's place.
        """
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = _Answer()
        code = str(answer.code or answer.error_code or "") or str(status)
        if 200 <= status < 300:
            if not answer.sid:
                return Delivery(outcome="uncertain", code=code, reason="The provider's answer could not be read.")
            return Delivery(outcome="accepted", reference=answer.sid, code=code)
        if status in (401, 403):
            return Delivery(outcome="later", code=code, reason=REASONS["20003"])
        if status in _AGAIN:
            return Delivery(outcome="later", code=code, reason="The provider asks for patience.")
        if status >= 500:
            return Delivery(outcome="uncertain", code=code, reason="The provider failed while it had the message.")
        return Delivery(
            outcome="refused", code=code, reason=REASONS.get(code, f"The provider refused it (code {code}).")
        )

    def signed(self, url: str, form: Form, signature: str) -> bool:
        """Whether a call-back is the provider's; compared in constant time."""
        told = url + "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
        wanted = base64.b64encode(hmac.new(self._secret, told.encode(), hashlib.sha1).digest())
        return hmac.compare_digest(wanted, signature.encode("utf-8", "replace"))

    def inbound(self, form: Form) -> Inbound:
        """A message that came in; the word counts when it is all that the message says."""
        number, text = _one(form, "From"), (form.get("Body") or [""])[0]
        asked = "".join(character for character in text.casefold() if character.isalnum())
        given = (form.get("OptOutType") or [""])[0].casefold()
        for word, words in (("stop", STOP_WORDS), ("start", START_WORDS), ("help", HELP_WORDS)):
            if given == word or (not given and asked in words):
                return Inbound(number=number, text=text, word=word)  # type: ignore[arg-type]
        return Inbound(number=number, text=text, word="")

    def status(self, form: Form) -> Status:
        """A report about a message of ours; a state that is no end and no news is empty."""
        told = _one(form, "MessageStatus")
        state = "undelivered" if told in ("undelivered", "failed") else told
        known = state if state in ("sent", "delivered", "undelivered") else ""
        return Status(
            reference=_one(form, "MessageSid"),
            state=known,  # type: ignore[arg-type]
            code=(form.get("ErrorCode") or [""])[0],
        )


def _one(form: Form, name: str) -> str:
    values = form.get(name) or []
    if len(values) != 1 or not values[0]:
        raise InputError("is needed once", field=name)
    return values[0]
