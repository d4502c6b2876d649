"""A console to be killed: ``python serve_to_kill.py HOME PORT`` serves the seeded installation until it is."""

import importlib.util
import socket
import sys
from pathlib import Path

import uvicorn

from careplane import console

if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location("console_conftest", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    conftest = importlib.util.module_from_spec(spec)
    sys.modules["console_conftest"] = conftest  # its dataclass looks itself up
    spec.loader.exec_module(conftest)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
    config = uvicorn.Config(console.app(conftest._context(Path(sys.argv[1]))), log_level="error", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])
