"""Where AWS credentials come from: the settings, a credentials file, a container or instance role, a web identity.

Sources: the SDK reference guide, https://docs.aws.amazon.com/sdkref/latest/guide/ (shared credentials file, container
and IMDS credential providers), and STS AssumeRoleWithWebIdentity. Nothing is read from the environment.
"""

import configparser
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from careplane.errors import SettingsError, UpstreamError
from careplane.providers._options import Options
from careplane.providers._renewed import Renewed
from careplane.providers._upstream import Timeouts, send
from careplane.providers.bedrock.signing import Credentials
from careplane.settings import read_secret_file

NAMES = {
    "access_key_id",
    "secret_access_key",
    "secret_access_key_file",
    "session_token",
    "credentials_path",
    "profile",
    "credentials_url",
    "authorization_token_path",
    "role_arn",
    "web_identity_token_path",
    "sts_url",
    "instance_role",
    "metadata_url",
}


Fetch = Callable[[], Awaitable[Credentials]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where credentials come from; ``forget`` is for temporary ones that were refused."""

    get: Fetch
    forget: Callable[[], None] | None = None


_QUICK = Timeouts(connect=2.0, first_byte=5.0, total=10.0)
_CONTAINER_HOSTS = ("169.254.170.2", "169.254.170.23", "fd00:ec2::23", "127.0.0.1", "::1", "localhost")
_INSTANCE = "http://169.254.169.254"


def source(options: Options, region: str) -> Source:
    """The one source that the settings name.

    Raises:
        SettingsError: none is named, or a part of it is missing.
    """
    if options.text("access_key_id"):
        return _fixed(options)
    if options.text("credentials_path"):
        return _from_file(options)
    if options.text("credentials_url"):
        return _renewed(_container(options))
    if options.text("role_arn"):
        return _renewed(_web_identity(options, region))
    if options.flag("instance_role", default=False):
        return _renewed(_instance(options.url("metadata_url", _INSTANCE)))
    ways = "access_key_id, credentials_path, credentials_url, role_arn, instance_role or api_key"
    raise SettingsError(f"is missing: name the credentials by one of {ways}", field="access_key_id")


def _fixed(options: Options) -> Source:
    secret = options.secret("secret_access_key")
    if not secret:
        raise SettingsError("is missing: a key ID is of no use without it", field="secret_access_key")
    credentials = Credentials(options.text("access_key_id"), secret, options.text("session_token"))

    async def get() -> Credentials:
        return credentials

    return Source(get)


def _from_file(options: Options) -> Source:
    """A shared credentials file, read again when it changed: whoever rotates the keys need not tell us."""
    path = Path(options.file("credentials_path"))
    profile = options.text("profile", "default")
    held = (path.stat().st_mtime_ns, read_profile(path, profile))

    async def get() -> Credentials:
        nonlocal held
        try:
            changed = path.stat().st_mtime_ns
            if changed != held[0]:
                held = (changed, read_profile(path, profile))
        except (OSError, SettingsError) as error:
            raise UpstreamError("The credentials file of this provider cannot be read any more.") from error
        return held[1]

    return Source(get)


def read_profile(path: Path, profile: str) -> Credentials:
    """The keys of one profile.

    Raises:
        SettingsError: others may read the file, or it has no such profile with keys in it.
    """
    read_secret_file(path, "credentials_path")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        section = parser[profile]
        key_id, secret = section["aws_access_key_id"], section["aws_secret_access_key"]
    except configparser.Error as error:
        raise SettingsError("is not an AWS credentials file", file=path, field="credentials_path") from error
    except KeyError as error:
        raise SettingsError(f"the profile {profile!r} has no keys in it", file=path, field="profile") from error
    return Credentials(key_id, secret, section.get("aws_session_token", ""))


def _renewed(fetch: Fetch) -> Source:
    async def timed() -> tuple[Credentials, float]:
        credentials = await fetch()
        expires = credentials.expires or datetime.fromtimestamp(0, UTC)
        return credentials, expires.timestamp()

    renewed = Renewed(timed)
    return Source(renewed.get, renewed.forget)


def _container(options: Options) -> Fetch:
    url = options.text("credentials_url")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _CONTAINER_HOSTS):
        raise SettingsError("must be https, or the address of the container's own agent", field="credentials_url")
    token_file = options.file("authorization_token_path")

    async def fetch() -> Credentials:
        headers = {"Authorization": _file_text(token_file)} if token_file else {}
        return read_keys(await _answered("GET", url, headers))

    return fetch


def _instance(url: str) -> Fetch:
    """IMDSv2: a session token first, then the name of the role, then its keys."""
    base = f"{url}/latest/meta-data/iam/security-credentials/"

    async def fetch() -> Credentials:
        asked = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        token = (await _answered("PUT", f"{url}/latest/api/token", asked)).decode("ascii", "replace")
        headers = {"X-aws-ec2-metadata-token": token}
        role = (await _answered("GET", base, headers)).decode("utf-8", "replace").partition("\n")[0].strip()
        return read_keys(await _answered("GET", base + quote(role, safe=""), headers))

    return fetch


def _web_identity(options: Options, region: str) -> Fetch:
    role = options.text("role_arn")
    token_file = options.file("web_identity_token_path")
    if not token_file:
        raise SettingsError(
            "is missing: the role is assumed with the token in this file", field="web_identity_token_path"
        )
    url = options.url("sts_url", f"https://sts.{region}.amazonaws.com")

    async def fetch() -> Credentials:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role,
            "RoleSessionName": "careplane",
            "WebIdentityToken": _file_text(token_file),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return read_sts(await _answered("POST", f"{url}/", headers, urlencode(form).encode()))

    return fetch


def _file_text(path: str) -> str:
    """A token from a file that is rotated, so it is read each time."""
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UpstreamError("The token file of this provider's credentials cannot be read.") from error


async def _answered(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    answer = await send(url, headers, body, _QUICK, method=method)
    if answer.status != 200:
        raise UpstreamError(f"The source of this provider's credentials gave none (HTTP {answer.status}).")
    return answer.body


def read_keys(data: bytes) -> Credentials:
    """The JSON that container agents and instance metadata give."""
    try:
        given: dict[str, Any] = orjson.loads(data)
        values = [given[name] for name in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")]
    except (ValueError, TypeError, KeyError) as error:
        raise UpstreamError("The source of this provider's credentials sent something else.") from error
    return _temporary(*(str(value) for value in values))


def read_sts(data: bytes) -> Credentials:
    """The XML that STS gives; four elements of it are read."""
    text = data.decode("utf-8", "replace")
    found = [
        re.search(rf"<{name}>([^<]+)</{name}>", text)
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    ]
    values = [one[1] for one in found if one is not None]
    if len(values) != len(found):
        raise UpstreamError("The source of this provider's credentials sent something else.")
    return _temporary(*values)


def _temporary(key_id: str, secret: str, token: str, expires: str) -> Credentials:
    try:
        moment = datetime.fromisoformat(expires)
    except ValueError as error:
        raise UpstreamError("The source of this provider's credentials gave no time at which they end.") from error
    return Credentials(key_id, secret, token, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
