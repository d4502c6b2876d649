"""Which addresses of another system are used: https, or plain http on the loopback of this machine (RFC 8252)."""

from urllib.parse import SplitResult, urlsplit

from careplane.errors import InputError

MAX_URL_CHARACTERS = 2048
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def secure_url(text: str, field: str) -> str:
    """The URL as given, if it may be called.

    Raises:
        InputError: it is no absolute URL, not https (http only on loopback), holds credentials or a fragment, or
            characters that no URL has.
    """
    parts = _split(text, field)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise InputError("must be an https:// URL (http:// only on 127.0.0.1 or localhost)", field=field)
    if not parts.hostname or "@" in parts.netloc:
        raise InputError("must name a host, without credentials", field=field)
    if "#" in text:
        raise InputError("must not hold a fragment (#)", field=field)
    return text


def origin_of(text: str, field: str) -> str:
    """Scheme, host and port of a URL that may be called, as browsers write an origin.

    Raises:
        InputError: as :func:`secure_url`.
    """
    parts = _split(secure_url(text, field), field)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"https": 443, "http": 80}[parts.scheme]
    port = parts.port
    return f"{parts.scheme}://{host}" if port in (None, default) else f"{parts.scheme}://{host}:{port}"


def _split(text: str, field: str) -> SplitResult:
    if len(text) > MAX_URL_CHARACTERS or not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}'):
        raise InputError("is not a URL", field=field)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is checked when it is asked for
    except ValueError as error:
        raise InputError("is not a URL", field=field) from error
    return parts
