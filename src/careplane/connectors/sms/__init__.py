"""Text messages through a provider's HTTP interface.

``open({"account": "AC...", "secret": "...", "sender": "+1..."})``. ``shape`` names the interface that the provider
speaks; there is one so far, ``twilio`` (:mod:`careplane.connectors.sms.twilio`), which is the default. ``base_url`` is
where it is spoken, by default by its owner. ``user`` signs in where the account does not (an API key's id, ``secret``
is then that key's); call-backs are signed with the account's own token all the same, which is ``callback_secret``;
``status_url`` is where the provider reports what became of a message; ``region`` is the country of numbers written
without one (ISO 3166, default ``US``).
"""

from collections.abc import Mapping
from functools import partial

import httpx

from careplane.connectors._http import Http, checked_seconds, checked_url, only_known
from careplane.connectors.sms.numbers import e164
from careplane.connectors.sms.sender import SmsSender
from careplane.connectors.sms.shape import Inbound, Shape, Status
from careplane.connectors.sms.twilio import Twilio
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "Inbound", "Shape", "SmsSender", "Status", "e164", "open"]

CAPABILITIES: frozenset[str] = frozenset({"send", "status", "inbound"})

_SETTINGS = (
    *("account", "base_url", "callback_secret", "region", "secret", "sender", "shape", "status_url"),
    *("timeout_seconds", "user"),
)
_SHAPES = {"twilio": Twilio}


def open(settings: Mapping[str, str]) -> SmsSender:  # noqa: A001 - the name that the shelf fixes
    """The sender for one account; nothing is sent yet.

    Raises:
        InputError: an unknown setting, one that is missing, or one that is not what it has to be.
    """
    only_known(settings, _SETTINGS)
    shape = _SHAPES.get(settings.get("shape", "twilio"))
    if shape is None:
        raise InputError(f"must be one of {', '.join(_SHAPES)}", field="shape")
    for name in ("account", "secret", "sender"):
        if not settings.get(name):
            raise InputError("is needed", field=name)
    region = settings.get("region", "US")
    status_url = checked_url(settings["status_url"], "status_url") if settings.get("status_url") else ""
    timeout = httpx.Timeout(checked_seconds(settings.get("timeout_seconds", "15")), connect=10.0)
    client = partial(
        httpx.AsyncClient,
        base_url=checked_url(settings.get("base_url", shape.base_url)),
        auth=(settings.get("user") or settings["account"], settings["secret"]),
        timeout=timeout,
    )
    spoken = shape(settings["account"], _callback_secret(settings), _from(settings["sender"], region), status_url)
    return SmsSender(Http(client), spoken, region)


def _callback_secret(settings: Mapping[str, str]) -> str:
    """What call-backs are signed with: an API key's secret never is, and by it each STOP would be refused."""
    given = settings.get("callback_secret", "")
    if not given and settings.get("user", "") not in ("", settings["account"]):
        raise InputError(
            "is needed beside 'user': call-backs are signed with the account's token, not with the API key's secret",
            field="callback_secret",
        )
    return given or settings["secret"]


def _from(text: str, region: str) -> str:
    """A number, or a name of the provider for a pool of numbers, which has letters."""
    return text if text[:2].isalpha() else e164(text, region)
