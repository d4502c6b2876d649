"""The official npm client of OpenAI against a served gateway."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Site
from .obliging import NAME, TEXT, Obliging, sent

FOLDER = Path(__file__).parent / "npm"
SCHEMED = {"city": TEXT, "degrees": 21}


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js with the client installed, as the lock file says."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("needs Node.js with npm (Debian: nodejs npm)")
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / "node_modules" / "openai").is_dir():
            done = subprocess.run([npm, "ci", "--no-progress"], cwd=FOLDER, capture_output=True, text=True, timeout=240)
            if done.returncode != 0 and os.environ.get("CI") != "true":
                pytest.skip("npm could not install the client")
            assert done.returncode == 0, done.stderr
    return found


@pytest.mark.slow
def test_what_users_of_the_npm_client_do(obliging_site: tuple[Site, Obliging], model: Obliging, node: str) -> None:
    site, _ = obliging_site
    done = subprocess.run(
        [node, "drive.mjs", f"{site.url}/v1", site.key, NAME], cwd=FOLDER, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    got: dict[str, Any] = json.loads(done.stdout)
    assert got["whole"] == got["streamed"] == {"text": TEXT, "tokens": 18}
    assert got["tool"] == {"name": "weather", "given": {"city": TEXT, "degrees": 1}}
    assert got["structured"] == SCHEMED
    assert got["embeddings"] == [[7, -0.5], [9, -0.5]]
    assert got["response"] == {"text": TEXT, "status": "completed"}
    assert got["responseStreamed"] == TEXT
    assert got["events"] == ["response.created", "response.completed"]
    assert got["models"] == ["default"]
    assert got["wrongKey"] == {"name": "AuthenticationError", "status": 401, "code": "invalid_api_key"}
    assert got["wrongModel"] == {"name": "NotFoundError", "status": 404, "code": "not_found"}
    assert got["wrongField"] == {"name": "BadRequestError", "status": 400, "code": "invalid_request"}
    assert model.gone.wait(10)
    assert not any(word in sent(model.seen) for word in ("Zebulon", "Quackenbush", "555-0188"))
