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


def search_by_identifier() -> None:
    """Let artefacts be found by their identifier, as R4 defines for these types and the server leaves out: without it
    no conditional create of them is possible."""
    from sekmet.fhir.search_params import PARAMS, SearchParam

    for kind in ("Composition", "QuestionnaireResponse"):
        PARAMS.setdefault(kind, {}).setdefault("identifier", SearchParam("identifier", "token", ("identifier",)))


if __name__ == "__main__":
    from sekmet.cli import app

    search_by_identifier()
    threading.Thread(target=end_with_parent, daemon=True).start()
    app(["serve", "--config", sys.argv[1]])
