"""The process of the sandbox EHR: ``python -m careplane.sandbox.ehr_process SETTINGS``.

It serves until it is asked to stop, or until its standard input closes: that happens when its parent ends in any way,
so a killed parent leaves no server behind.
"""

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Ask this process to stop once its standard input is closed."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from sekmet.cli import app

    threading.Thread(target=end_with_parent, daemon=True).start()
    app(["serve", "--config", sys.argv[1]])
