"""The MLLP port of ``careplane serve``: a listener and the worker behind it, in a thread with an event loop of its own.

A page that takes long to draw must not keep an interface engine waiting, and the other way round.
"""

import asyncio
import gc
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import uvloop

from careplane._shelf import load
from careplane.codecs.hl7v2.charsets import find_charset
from careplane.codecs.hl7v2.fhir import Site
from careplane.errors import MessageError, SettingsError
from careplane.records.people import Person
from careplane.server.binding import bind
from careplane.server.data_plane import GARBAGE
from careplane.server.hl7v2_context import LayeredFhir
from careplane.server.hl7v2_events import Means, MessageWorker
from careplane.server.hl7v2_intake import Intake
from careplane.server.platform import Platform
from careplane.settings import Settings
from careplane.store import Store, fetch
from careplane.store.hl7v2_context import Hl7v2Context
from careplane.store.tables import people
from careplane.workflow.durable import Durable

LOOPBACK = ("127.0.0.1", "::1", "localhost")
log = logging.getLogger("careplane.mllp")


@contextmanager
def listening(platform: Platform, durable: Durable, echo: Callable[[str], None]) -> Iterator[None]:
    """Listen for messages while the block runs, if ``mllp_port`` is set.

    Raises:
        SettingsError: a setting cannot be used, or the port is taken.
    """
    settings = platform.settings
    if not settings.number("mllp_port") or platform.hl7v2 is None:
        yield
        return
    host, port = settings.text("mllp_host"), int(settings.number("mllp_port"))
    tls = _tls(settings)
    means = means_of(platform, durable)
    sock = bind(host, port, "mllp_host or mllp_port")
    echo(f"HL7 v2 over MLLP{' with TLS' if tls else ''} on {host}:{port}.")
    if host not in LOOPBACK and not (tls and settings.text("mllp_tls_client_ca_file")):
        echo("Anybody who reaches this port can send messages: set mllp_tls_client_ca_file, or let a firewall decide.")
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        worker = MessageWorker(means)
        listener = load("connectors", "hl7v2_mllp").Listener(
            Intake(means.inbox, platform.clock, means.charset, worker.wake).answer, _limits(settings)
        )
        await listener.start(sock, tls)
        working = asyncio.ensure_future(worker.run())
        ready.set()
        while not stop.is_set() and not working.done():
            await asyncio.sleep(0.1)
        if working.done():
            log.error("the worker on messages ended; nothing is taken until the next start")
        await listener.stop()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await platform.fhir.aclose()

    thread = threading.Thread(target=lambda: uvloop.run(serve()), name="careplane-mllp", daemon=True)
    before = gc.get_threshold()
    gc.set_threshold(*GARBAGE)  # a message makes hundreds of objects that live for milliseconds, none in cycles
    thread.start()
    if not ready.wait(30):
        raise SettingsError("the port for HL7 v2 did not open within 30 s", field="mllp_port")
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        gc.set_threshold(*before)


def means_of(platform: Platform, durable: Durable) -> Means:
    """What working on the messages of an installation takes.

    Raises:
        SettingsError: ``mllp_charset`` or ``mllp_systems`` cannot be used.
    """
    settings, inbox = platform.settings, platform.hl7v2
    assert inbox is not None  # noqa: S101 - asked by the caller
    ehr = platform.fhir.ehr if isinstance(platform.fhir, LayeredFhir) else platform.fhir
    zone = platform.clock().tzinfo
    assert zone is not None  # noqa: S101 - the clock gives aware times
    return Means(
        inbox=inbox,
        context=Hl7v2Context(inbox),
        ehr=ehr,
        apps=platform.apps.values,
        person=partial(_person, platform.store),
        submit=durable.submit,
        clock=platform.clock,
        site=Site(systems_of(settings), zone, settings.text("hl7v2_staff_authority").strip()),
        charset=charset_of(settings),
        keep=timedelta(days=settings.number("hl7v2_keep_days")),
    )


def systems_of(settings: Settings) -> dict[str, str]:
    """``mllp_systems`` as a mapping: assigning authority to the URI of the EHR's identifiers.

    Raises:
        SettingsError: it is not of that form.
    """
    found = {}
    for pair in filter(None, (one.strip() for one in settings.text("mllp_systems").split(","))):
        name, _, uri = pair.partition("=")
        if not name.strip() or ":" not in uri:
            raise SettingsError(
                "must look like MRN=https://hospital.example/mrn, VISIT=urn:oid:1.2.3", field="mllp_systems"
            )
        found[name.strip()] = uri.strip()
    return found


def charset_of(settings: Settings) -> str:
    """``mllp_charset``.

    Raises:
        SettingsError: it is none of HL7 table 0211 that can be read.
    """
    name = settings.text("mllp_charset")
    try:
        find_charset(name, "~")
    except MessageError as error:
        raise SettingsError(error.message, field="mllp_charset") from error
    return name


def _person(store: Store, ident: str) -> Person | None:
    with store.read() as connection:
        return fetch(connection, people, Person, people.c.id == ident)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    names = ("mllp_tls_cert_file", "mllp_tls_key_file", "mllp_tls_client_ca_file")
    files = [settings.text(name) for name in names]
    if not any(files):
        return None
    context: ssl.SSLContext = load("connectors", "hl7v2_mllp").server_tls(*files)
    return context


def _limits(settings: Settings) -> object:
    item = load("connectors", "hl7v2_mllp")
    return item.Limits(
        connections=int(settings.number("mllp_connections")),
        max_bytes=int(settings.number("mllp_max_mb") * 1024 * 1024),
        block_seconds=settings.number("mllp_block_seconds"),
    )
