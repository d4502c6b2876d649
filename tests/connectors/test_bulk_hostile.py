"""A bulk server that breaks off, lies and stalls; and an export that is killed and goes on."""

import asyncio
import gzip
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from careplane.codecs.fhir_bulk import ExportRequest
from careplane.connectors import fhir_bulk
from careplane.connectors.fhir_bulk import download
from careplane.connectors.fhir_bulk.connector import Exported
from careplane.connectors.fhir_bulk.state import FILE
from careplane.errors import CareplaneError, DataError, InputError, Refused, StoreError, UpstreamError, UpstreamTimeout

Serving = Callable[[Starlette], AbstractContextManager[str]]
TYPES = ("Patient", "Observation")


def lines(kind: str, count: int) -> bytes:
    """NDJSON of synthetic resources."""
    return b"".join(b'{"resourceType":"%s","id":"s%d"}\n' % (kind.encode(), n) for n in range(count))


class Bulk:
    """A bulk data server whose every step can be told; ``asked`` are the requests that came."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.polls = [Response(status_code=202, headers={"Retry-After": "0", "X-Progress": "half"})]
        self.kick_off: Response | None = None
        self.manifest: Any = None
        self.data = {kind: lines(kind, 50) for kind in TYPES}
        self.answer: Callable[[Request, str], Response | None] = lambda _request, _kind: None
        self.knows = True
        self.url = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/fhir/$export", self._start),
                Route("/fhir/status", self._status, methods=["GET", "DELETE"]),
                Route("/fhir/files/{kind}", self._file),
            ]
        )

    def _note(self, request: Request) -> None:
        self.asked.append((request.method, request.url.path, request.headers.get("range", "")))

    async def _start(self, request: Request) -> Response:
        self._note(request)
        self.url = str(request.base_url)
        assert request.headers["prefer"] == "respond-async"
        self.knows = True
        return self.kick_off or Response(status_code=202, headers={"Content-Location": f"{self.url}fhir/status"})

    async def _status(self, request: Request) -> Response:
        self._note(request)
        if request.method == "DELETE":
            self.knows = False
            return Response(status_code=202)
        if not self.knows:
            return Response(status_code=404)
        if self.polls:
            return self.polls.pop(0)
        return JSONResponse(self.manifest if self.manifest is not None else self.whole())

    def whole(self, **more: Any) -> dict[str, Any]:
        """The manifest of an honest server."""
        output = [
            {"type": kind, "url": f"{self.url}fhir/files/{kind}", "count": data.count(b"\n")}
            for kind, data in self.data.items()
        ]
        return {"transactionTime": "2026-03-01T00:00:00Z", "output": output, "requiresAccessToken": False, **more}

    async def _file(self, request: Request) -> Response:
        self._note(request)
        kind = request.path_params["kind"]
        told = self.answer(request, kind)
        return told if told is not None else Response(self.data[kind], media_type="application/fhir+ndjson")


@pytest.fixture
def server(serving: Serving) -> Iterator[tuple[Bulk, str]]:
    bulk = Bulk()
    with serving(bulk.app()) as url:
        yield bulk, f"{url}/fhir"


def export(base_url: str, folder: Path, request: ExportRequest | None = None, **settings: str) -> Exported:
    async def session() -> Exported:
        bulk = fhir_bulk.open({"base_url": base_url, "timeout_seconds": "2", **settings})

        async def quick(_seconds: float) -> None:
            return None

        bulk._endpoint.sleep = quick
        try:
            return await bulk.export(request or ExportRequest(), folder)
        finally:
            await bulk.aclose()

    return asyncio.run(session())


def visible(folder: Path) -> set[str]:
    """What a loader would read."""
    return {path.name for path in folder.rglob("*.ndjson")}


def test_an_honest_server_is_asked_waited_for_and_told_to_forget(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    done = export(url, tmp_path / "x")
    assert done.counts == {"Observation": 50, "Patient": 50}
    assert [path for method, path, _ in bulk.asked if method == "DELETE"] == ["/fhir/status"]
    assert (tmp_path / "x/Patient.1.ndjson").read_bytes() == bulk.data["Patient"]


def breaking(size: int, after: int) -> Callable[[Request, str], Response | None]:
    """Breaks off after some bytes the first times, and knows ranges."""
    left = [3]

    def answer(request: Request, kind: str) -> Response | None:
        data = lines(kind, size)
        begun = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(begun[1]) if begun and request.headers.get("if-range") == '"v1"' else 0
        stop = start + after if left[0] > 0 else len(data)
        left[0] -= 1
        headers = {"ETag": '"v1"', "Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"

        async def body() -> AsyncIterator[bytes]:
            yield data[start:stop]
            if stop < len(data):
                raise ConnectionResetError

        return StreamingResponse(body(), 206 if start else 200, headers)

    return answer


@pytest.mark.filterwarnings("ignore")
def test_a_file_that_breaks_off_goes_on_where_it_was(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    bulk.data = {"Patient": lines("Patient", 400)}
    bulk.answer = breaking(400, 3000)
    assert export(url, tmp_path / "x").counts == {"Patient": 400}
    assert (tmp_path / "x/Patient.1.ndjson").read_bytes() == bulk.data["Patient"]
    assert [asked for _, path, asked in bulk.asked if "files" in path] == [
        *("", "bytes=3000-", "bytes=6000-", "bytes=9000-"),
    ]


def test_a_file_that_always_breaks_off_is_never_seen_as_whole(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    full = bulk.data["Patient"]
    bulk.answer = lambda _request, kind: Response(full[:500]) if kind == "Patient" else None
    with pytest.raises(UpstreamError, match="the manifest says 50 resources, 14 came"):
        export(url, tmp_path / "x")
    assert "Patient.1.ndjson" not in visible(tmp_path / "x")
    bulk.answer = lambda _request, _kind: None
    assert export(url, tmp_path / "x").counts["Patient"] == 50


def endless(data: bytes) -> Callable[[Request, str], Response]:
    """Does not say how long the file is, and knows ranges."""

    def answer(request: Request, _kind: str) -> Response:
        begun = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(begun[1]) if begun else 0

        async def body() -> AsyncIterator[bytes]:
            for at in range(start, len(data), 300):
                yield data[at : at + 300]

        more = {"Content-Range": f"bytes {start}-{len(data) - 1}/*"} if start else {}
        return StreamingResponse(body(), 206 if start else 200, {"ETag": '"v1"', **more})

    return answer


def test_a_file_that_is_too_large_is_left_and_goes_on_under_a_higher_limit(
    server: tuple[Bulk, str], tmp_path: Path
) -> None:
    bulk, url = server
    bulk.data = {"Patient": lines("Patient", 400)}
    with pytest.raises(Refused, match="larger than 1e-06 GB"):
        export(url, tmp_path / "x", max_file_gb="0.000001")  # by its Content-Length
    assert not (tmp_path / "x/Patient.1.ndjson.part").exists()
    bulk.answer = endless(bulk.data["Patient"])
    with pytest.raises(Refused, match="fhir_max_file_gb"):
        export(url, tmp_path / "x", max_file_gb="0.000001")
    assert (tmp_path / "x/Patient.1.ndjson.part").read_bytes() == bulk.data["Patient"][:1000]
    whole = f"{len(bulk.data['Patient']) / 1e9:.9f}"
    assert export(url, tmp_path / "x", max_file_gb=whole).counts == {"Patient": 400}
    assert (tmp_path / "x/Patient.1.ndjson").read_bytes() == bulk.data["Patient"]
    assert [asked for _, path, asked in bulk.asked if "files" in path] == ["", "", "bytes=1000-"]
    assert [path for _, path, _ in bulk.asked].count("/fhir/$export") == 1


def test_a_compressed_file_is_refused_and_nothing_of_it_is_kept(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    bulk.data = {"Patient": lines("Patient", 50)}
    packed = gzip.compress(bulk.data["Patient"])
    bulk.answer = lambda _request, _kind: Response(packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(UpstreamError, match="compressed"):
        export(url, tmp_path / "x")
    assert [path.name for path in (tmp_path / "x").iterdir()] == [FILE]


@pytest.mark.filterwarnings("ignore")
def test_a_file_that_drips_is_left_in_the_end(
    server: tuple[Bulk, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk, url = server
    monkeypatch.setattr(download, "LONGEST_SECONDS", 0.3)

    def drips(_request: Request, _kind: str) -> Response:
        async def body() -> AsyncIterator[bytes]:
            for at in range(100):
                yield lines("Patient", 50)[at : at + 1]
                await asyncio.sleep(0.05)

        return StreamingResponse(body())

    bulk.answer = drips
    with pytest.raises(UpstreamTimeout, match="did not come within"):
        export(url, tmp_path / "x")
    assert visible(tmp_path / "x") == set()


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"kick_off": Response(status_code=200)}, UpstreamError, "did not say where"),
        ({"kick_off": Response(status_code=202)}, UpstreamError, "did not say where"),
        (
            {"kick_off": Response(status_code=202, headers={"Content-Location": "https://evil.test/s"})},
            UpstreamError,
            "another host",
        ),
        ({"kick_off": Response(status_code=403)}, Refused, "refused"),
        ({"kick_off": Response(status_code=400)}, UpstreamError, "HTTP 400"),
        ({"polls": [Response(status_code=500)] * 4}, UpstreamError, "HTTP 500"),
        ({"polls": [Response(status_code=204)]}, UpstreamError, "HTTP 204"),
        ({"manifest": []}, UpstreamError, "not a JSON object"),
        ({"manifest": {"output": []}}, UpstreamError, "transactionTime"),
        ({"manifest": {"transactionTime": "now", "output": []}}, UpstreamError, "transactionTime"),
        ({"manifest": {"transactionTime": "2026-03-01T00:00:00Z"}}, UpstreamError, "output"),
        ({"manifest": {"transactionTime": "2026-03-01T00:00:00Z", "output": "x"}}, UpstreamError, "output"),
        (
            {"manifest": {"transactionTime": "2026-03-01T00:00:00Z", "output": [{"type": "../x", "url": "http://x"}]}},
            UpstreamError,
            "output.type",
        ),
        (
            {
                "manifest": {
                    "transactionTime": "2026-03-01T00:00:00Z",
                    "output": [{"type": "Patient", "url": "file:///etc/passwd"}],
                }
            },
            UpstreamError,
            "output.url",
        ),
        (
            {
                "manifest": {
                    "transactionTime": "2026-03-01T00:00:00Z",
                    "requiresAccessToken": True,
                    "output": [{"type": "Patient", "url": "http://127.0.0.2:9/p"}],
                }
            },
            Refused,
            "another host and asks for our token",
        ),
        (
            {
                "manifest": {
                    "transactionTime": "2026-03-01T00:00:00Z",
                    "output": [{"type": "Patient", "url": "http://127.0.0.2:9/p"}],
                }
            },
            Refused,
            "not reached by https",
        ),
    ],
)
def test_a_server_that_lies_is_an_error_that_says_so(
    server: tuple[Bulk, str], tmp_path: Path, given: dict[str, Any], error: type[CareplaneError], told: str
) -> None:
    bulk, url = server
    for name, value in given.items():
        setattr(bulk, name, value)
    with pytest.raises(error, match=told):
        export(url, tmp_path / "x")
    assert visible(tmp_path / "x") == set()


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b'{"resourceType":"Observation","id":"o"}\n', b"\x00\n"])
def test_a_file_of_something_else_is_refused(server: tuple[Bulk, str], tmp_path: Path, body: bytes) -> None:
    bulk, url = server
    bulk.data = {"Patient": lines("Patient", 1)}
    bulk.answer = lambda _request, _kind: Response(body)
    with pytest.raises(UpstreamError, match="not NDJSON of Patient"):
        export(url, tmp_path / "x")
    assert visible(tmp_path / "x") == set()


def test_an_export_that_the_server_forgot_is_begun_anew(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    bulk.polls = [Response(status_code=500)] * 4
    with pytest.raises(UpstreamError):
        export(url, tmp_path / "x")
    bulk.knows = False
    assert export(url, tmp_path / "x").counts["Patient"] == 50
    assert [path for _, path, _ in bulk.asked].count("/fhir/$export") == 2


def test_waiting_has_an_end_and_goes_on_when_asked_again(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    bulk.polls = [Response(status_code=202) for _ in range(10_000)]
    with pytest.raises(UpstreamTimeout, match="Run the same again"):
        export(url, tmp_path / "x", wait_seconds="0.2")
    bulk.polls = []
    assert export(url, tmp_path / "x").counts["Patient"] == 50
    assert [path for _, path, _ in bulk.asked].count("/fhir/$export") == 1


def test_errors_and_deletions_lie_beside_and_are_not_loaded(server: tuple[Bulk, str], tmp_path: Path) -> None:
    bulk, url = server
    bulk.data |= {"OperationOutcome": lines("OperationOutcome", 3), "Bundle": lines("Bundle", 2)}

    def manifest() -> dict[str, Any]:
        whole = bulk.whole()
        files = {one["type"]: one for one in whole["output"]}
        return whole | {
            "output": [files["Patient"]],
            "error": [files["OperationOutcome"]],
            "deleted": [files["Bundle"]],
        }

    bulk.url = url.removesuffix("fhir")
    bulk.manifest = manifest()
    done = export(url, tmp_path / "x")
    assert (done.counts, done.errors, done.deleted) == ({"Patient": 50}, 3, 2)
    assert visible(tmp_path / "x") == {"Patient.1.ndjson"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ExportRequest(types=("Smith",)), "type Smith"),
        (ExportRequest(level="group"), "group"),
        (ExportRequest(group="g"), "group"),
        (ExportRequest(level="group", group="../x"), "group"),
        (ExportRequest(since="yesterday"), "since"),
        (ExportRequest(since="2026-03-01T00:00:00"), "since"),
        (ExportRequest(type_filters=("Patient",)), "type-filter"),
        (ExportRequest(types=("Task",), type_filters=("Patient?active=true",)), "type-filter"),
    ],
)
def test_what_cannot_be_asked_is_named(request_: ExportRequest, field: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        export("http://127.0.0.1:9/fhir", tmp_path / "x", request_)
    assert caught.value.field == field


def test_a_folder_that_cannot_be_written_and_a_broken_state(server: tuple[Bulk, str], tmp_path: Path) -> None:
    _, url = server
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        export(url, tmp_path / "file/x")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / FILE).write_text("{")
    with pytest.raises(DataError, match="choose another folder"):
        export(url, tmp_path / "x")


def test_an_export_killed_at_any_time_goes_on(server: tuple[Bulk, str], tmp_path: Path) -> None:
    """Killed five times, at times of its own choosing, it ends with the very bytes and never shows half a file."""
    bulk, url = server
    bulk.data = {kind: lines(kind, 3000) for kind in TYPES}
    bulk.polls = []

    def slowly(request: Request, kind: str) -> Response:
        data = bulk.data[kind]
        begun = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(begun[1]) if begun else 0
        headers = {"ETag": '"v1"', "Content-Length": str(len(data) - start)}
        headers |= {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}

        async def body() -> AsyncIterator[bytes]:
            for at in range(start, len(data), 4000):
                yield data[at : at + 4000]
                await asyncio.sleep(0.03)

        return StreamingResponse(body(), 206 if start else 200, headers)

    bulk.answer = slowly
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from careplane.connectors import fhir_bulk; from careplane.codecs.fhir_bulk import ExportRequest\n"
        "async def main():\n"
        "    bulk = fhir_bulk.open({'base_url': sys.argv[1]})\n"
        "    print((await bulk.export(ExportRequest(), Path(sys.argv[2]))).counts)\n"
        "    await bulk.aclose()\n"
        "asyncio.run(main())"
    )
    folder = tmp_path / "x"
    command = [sys.executable, "-c", code, url, str(folder)]
    killed = 0
    for seconds in (0.9, 1.2, 0.7, 1.5, 1.0):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        for name in visible(folder):
            assert (folder / name).read_bytes() == bulk.data[name.partition(".")[0]]
    assert killed
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'Observation': 3000, 'Patient': 3000}"
    for kind in TYPES:
        assert (folder / f"{kind}.1.ndjson").read_bytes() == bulk.data[kind]
    state = orjson.loads((folder / FILE).read_bytes())
    assert state["done"] == {"Patient.1.ndjson": 3000, "Observation.1.ndjson": 3000}
    assert [path for _, path, _ in bulk.asked].count("/fhir/$export") <= 1 + killed
