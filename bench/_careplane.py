"""Careplane as a target of the gateway benchmarks: a data plane with one app and its key, and its ledger afterwards."""

import re
import subprocess
import sys
from pathlib import Path

from _load import Reply
from _targets import Target, free_port

CAREPLANE = str(Path(sys.executable).with_name("careplane"))
KEY = "cp-bench-7d0f5b1c9e6a4832b1d4c8e2f6a09357"
RECORDED = re.compile(rb'"call": ?"([^"]+)"')
REQUEST_ID = re.compile(rb"\r\nx-request-id: *(\S+)", re.IGNORECASE)
SHIELD_OFF = 'phi = "identifiable"'
EVERYTHING = 'phi = "deidentified"\ninjection = "flag"\ntools = []\nlinks = []'
ROOM = (
    '\n[limits."app:bench"]\nconcurrent = 4096\nrequests_per_minute = 100000000\ntokens_per_minute = 1000000000\n'
    '\n[budgets."app:bench"]\nday = 10000000\nmonth = 100000000\n'
)


def audited(folder: Path, upstream: int) -> Target:
    """Key, policy, metering and durable audit; the shield is off."""
    return _target("careplane", folder, upstream, SHIELD_OFF, "")


def everything(folder: Path, upstream: int) -> Target:
    """All of that with the shield on the FHIR context, guards, limits and budgets that are never reached."""
    return _target("careplane-full", folder, upstream, EVERYTHING, ROOM)


def _target(name: str, folder: Path, upstream: int, policy: str, room: str) -> Target:
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    key = folder / "key"
    key.write_text(KEY, encoding="utf-8")
    key.chmod(0o600)
    config = folder / "gateway.toml"
    config.write_text(
        f'home = "{folder / "home"}"\nhost = "127.0.0.1"\nport = {port}\nlog_level = "error"\n\n'
        f'[providers.mock]\nkind = "openai_compatible"\nbase_url = "http://127.0.0.1:{upstream}/v1"\nmodel = "mock"\n\n'
        '[[routes]]\nalias = "mock"\ntargets = [{ provider = "mock", model = "mock", region = "local", '
        "price = { input = 0.15, output = 0.6 } }]\n\n"
        f'[apps.bench]\nmodels = ["mock"]\nkey_file = "{key}"\n{policy}\n{room}',
        encoding="utf-8",
    )
    command = (CAREPLANE, "gateway", "--config", str(config))
    return Target(name, command, port, headers={"authorization": f"Bearer {KEY}"}, note="key, policy, durable record")


def ident(reply: Reply) -> str:
    """The id by which the ledger knows a call."""
    found = REQUEST_ID.search(reply.head)
    return found[1].decode() if found else "a reply without x-request-id"


def recorded(folder: Path) -> set[str]:
    """The ids of all calls in the ledger of an installation, read from its files as they are."""
    files = (path for path in (folder / "home" / "ledger").rglob("*") if path.is_file())
    return {found.decode() for path in files for found in RECORDED.findall(path.read_bytes())}


def verified(folder: Path) -> tuple[bool, str]:
    """Whether the ledger verifies, and what the command says."""
    command = [CAREPLANE, "ledger", "verify", "--home", str(folder / "home")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    said = (done.stdout or done.stderr).strip().splitlines() or ["it said nothing"]
    return done.returncode == 0, said[-1]
