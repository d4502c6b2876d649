"""A person who signs every draft as it is, without end, on the installation of the settings.

It is one of the processes that ``bench/durability.py`` kills: between a signature and the chart too.
"""

import asyncio

from careplane.errors import CareplaneError, Conflict, StoreError
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.workflow import find_runs, review_run

REVIEWER = "Practitioner/p001"
AT_ONCE = 4


async def sign_all(platform: Platform) -> None:
    """Sign what is there, then wait for more."""
    while True:
        try:
            drafts = find_runs(platform.store, status="draft", limit=40)
        except StoreError:
            drafts = []
        for start in range(0, len(drafts), AT_ONCE):
            await asyncio.gather(*(sign(platform, run.id) for run in drafts[start : start + AT_ONCE]))
        await asyncio.sleep(0.05 if drafts else 0.3)


async def sign(platform: Platform, run: str) -> None:
    """Sign one; who is second, or finds the database away, leaves it."""
    try:
        await review_run(platform.runtime, run, "accept", REVIEWER, 20.0, at=platform.clock())
    except Conflict:
        return
    except CareplaneError as error:
        print(f"signer: {type(error).__name__}: {error}", flush=True)
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(sign_all(open_platform(read_settings(), synthetic=True)))
