"""``python -m bench [name ...]``: the same as ``bench/run``."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).with_name("run")), run_name="__main__")
