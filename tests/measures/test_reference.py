"""The page of measures is what the shelf says."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    subprocess.run([sys.executable, REPOSITORY / "scripts/measures-reference", "--check"], check=True)
