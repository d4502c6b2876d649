"""``$events`` of a server that has it, and answers that are none: what the real server of the rig lacks."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.connectors._credential import Fixed
from careplane.connectors._endpoint import Endpoint
from careplane.connectors.fhir_subscription import SubscriptionConnector
from careplane.errors import InputError, UpstreamError
from careplane.records import JSON

BASE = "https://ehr.test/fhir"


def against(
    answer: Callable[[Request], Response], work: Callable[[SubscriptionConnector], Awaitable[object]]
) -> object:
    """Run ``work`` on a connector whose endpoint answers as told."""

    async def endpoint(request: Request) -> Response:
        return answer(request)

    app = Starlette(routes=[Route("/{path:path}", endpoint, methods=["GET", "POST", "DELETE"])])

    async def session() -> object:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await work(SubscriptionConnector(Endpoint(BASE, lambda: client, Fixed(""))))

    return asyncio.run(session())


def told(*numbers: int) -> JSON:
    """The answer of ``$events``."""
    status = {
        "resourceType": "SubscriptionStatus",
        "type": "query-event",
        "subscription": {"reference": f"{BASE}/Subscription/s"},
        "notificationEvent": [
            {"eventNumber": str(number), "focus": {"reference": f"{BASE}/Task/{number}"}} for number in numbers
        ],
    }
    return {"resourceType": "Bundle", "type": "subscription-notification", "entry": [{"resource": status}]}


def test_events_are_asked_for_by_their_numbers_and_pages_are_followed() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(str(request.url))
        more = [{"relation": "next", "url": f"{BASE}/Subscription/s/$events?page=2"}]
        return JSONResponse(told(4, 5) | ({"link": more} if len(asked) == 1 else {}) if len(asked) == 1 else told(6))

    found = against(answer, lambda ehr: ehr.events("Subscription/s", 4, 6))
    assert isinstance(found, list)
    assert [event.focus for one in found for event in one.events] == ["Task/4", "Task/5", "Task/6"]
    assert asked[0].endswith("/Subscription/s/$events?eventsSinceNumber=4&eventsUntilNumber=6")


@pytest.mark.parametrize("status", [404, 405, 400, 422, 501])
def test_a_server_without_events_is_no_error(status: int) -> None:
    assert against(lambda _r: Response(status_code=status), lambda ehr: ehr.events("Subscription/s", 1, 2)) is None
    assert against(lambda _r: Response(status_code=status), lambda ehr: ehr.status("Subscription/s")) is None


def test_events_that_are_not_all_there_are_none() -> None:
    assert against(lambda _r: JSONResponse(told(4, 6)), lambda ehr: ehr.events("Subscription/s", 4, 6)) is None


@pytest.mark.parametrize(
    "body", [{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}, {"a": 1}, []]
)
def test_an_answer_that_is_no_notification_is_an_error(body: object) -> None:
    with pytest.raises(UpstreamError):
        against(lambda _r: JSONResponse(body), lambda ehr: ehr.status("Subscription/s"))


def test_a_server_that_does_not_say_what_it_made_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="did not say"):
        against(lambda _r: Response(status_code=201), lambda ehr: ehr.subscribe({"resourceType": "Subscription"}))


def test_a_target_is_a_reference() -> None:
    with pytest.raises(InputError):
        against(lambda _r: Response(), lambda ehr: ehr.held("../metadata"))
