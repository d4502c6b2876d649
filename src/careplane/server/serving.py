"""Serving one installation: a socket on loopback, the durable workers, and the first sign-in link."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import get_args

import uvicorn

from careplane.console import create_account, find_accounts, one_time_link
from careplane.records.people import Role
from careplane.server.asgi import asgi_app
from careplane.server.binding import bind
from careplane.server.measuring import night_of
from careplane.server.mllp import listening
from careplane.server.platform import Platform
from careplane.server.schedules import open_schedules
from careplane.workflow.durable import Durable

ADMINISTRATOR = "admin"
GRANT_HINT = (
    "The administrator manages accounts only. To let somebody review or decide: careplane user grant NAME --role ROLE"
)


def serve(
    platform: Platform,
    echo: Callable[[str], None],
    beside: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Serve until Ctrl-C.

    Args:
        platform: the installation; closed at the end.
        echo: where the address and the one-time link are told.
        beside: gets the address, and gives what runs while the installation is served.

    Raises:
        SettingsError: the address cannot be bound, or ``measures_at`` is no time of the day.
    """
    settings = platform.settings
    night_of(settings)  # what it cannot read ends the command, not a task beside the server
    listener = bind(settings.text("host"), int(settings.number("port")))
    address = f"http://{settings.text('host')}:{listener.getsockname()[1]}"
    durable = Durable(platform.runtime, platform.home, open_schedules(platform))
    durable.start()
    try:
        echo(f"Careplane serves {settings.text('site_name')} on {address} (Ctrl-C ends).")
        echo(f"Sign in once, within 30 minutes: {address}{administrator_link(platform)}")
        if not platform.synthetic:
            echo(GRANT_HINT)
        config = uvicorn.Config(
            asgi_app(platform, durable),
            log_level=settings.text("log_level"),
            access_log=False,
            server_header=False,
        )
        with listening(platform, durable, echo), beside(address):
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        durable.stop()
        platform.close()


def administrator_link(platform: Platform) -> str:
    """The path of a fresh one-time link for the administrator, whose account is made the first time.

    In a demo, whose people and patients are synthetic, the administrator has every role, so that every page opens.
    """
    if all(account.id != ADMINISTRATOR for account in find_accounts(platform.store)):
        roles: tuple[Role, ...] = get_args(Role) if platform.synthetic else ("admin",)
        create_account(platform.store, ADMINISTRATOR, "Administrator", roles, datetime.now(UTC))
    return one_time_link(platform.store, ADMINISTRATOR, datetime.now(UTC))
