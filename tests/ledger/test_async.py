"""Appending from event loops: natural batches, cancellation, refusal when too much waits, loops and threads at once."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger import CheckedFacts, Ledger, open_ledger, prepare, verify

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    return asyncio.run if request.param == "asyncio" else uvloop.run


def _hold(ledger: Ledger) -> threading.Lock:
    """Keep the writer from writing until the lock is released."""
    mutex: threading.Lock = ledger._writer._mutex
    mutex.acquire()
    return mutex


def test_many_callers_share_batches_and_keep_their_order(ledger: Ledger, run: Callable[..., object]) -> None:
    async def caller(name: int) -> list[int]:
        return [(await ledger.append_async("a", at=AT, run=str(name), facts={"n": n})).seq for n in range(20)]

    async def main() -> list[list[int]]:
        return await asyncio.gather(*(caller(name) for name in range(32)))

    seqs = run(main())
    assert isinstance(seqs, list)
    assert sorted(seq for own in seqs for seq in own) == list(range(1, 641))
    assert all(own == sorted(own) for own in seqs)
    assert verify(ledger.folder).seq == 640
    assert ledger.waiting == (0, 0)


def test_what_is_returned_is_what_is_read(ledger: Ledger) -> None:
    async def main() -> object:
        return await ledger.append_async("a", at=AT, run="r", app="x", actor="y", facts={"b": 1, "a": "ü"})

    assert [asyncio.run(main())] == list(ledger.records())


def test_a_group_is_one_batch_in_its_order(ledger: Ledger) -> None:
    async def main() -> list[int]:
        group = [prepare("a", AT, facts={"n": n}) for n in range(3)]
        done = await asyncio.gather(*(ledger.append_all_async(group) for _ in range(5)))
        return [record.seq for records in done for record in records]

    assert asyncio.run(main()) == list(range(1, 16))
    assert [record.facts["n"] for record in ledger.records()] == [0, 1, 2] * 5


def test_an_empty_group_is_done_at_once(ledger: Ledger) -> None:
    async def main() -> list[object]:
        return list(await ledger.append_all_async([]))

    assert asyncio.run(main()) == []
    assert ledger.head.seq == 0


def test_each_loop_is_told_once_per_batch(ledger: Ledger) -> None:
    told: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        original = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *given, **more: (told.append(given), original(*given, **more))[1]  # type: ignore
        mutex = _hold(ledger)
        first = ledger.append_async("first", at=AT)
        while ledger._queue._queue:
            await asyncio.sleep(0.001)  # the writer took it and waits
        rest = [ledger.append_async("rest", at=AT) for _ in range(100)]
        mutex.release()
        await asyncio.gather(first, *rest)

    asyncio.run(main())
    assert len(told) == 2
    assert verify(ledger.folder).seq == 101


def test_cancelled_caller_neither_loses_nor_doubles_its_record(ledger: Ledger) -> None:
    async def main() -> None:
        mutex = _hold(ledger)
        tasks = [asyncio.create_task(_append(ledger, number)) for number in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        mutex.release()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(answer, asyncio.CancelledError) for answer in done] == [True, False] * 5

    asyncio.run(main())
    ledger.close()
    assert [record.facts["n"] for record in ledger.records()] == list(range(10))
    assert verify(ledger.folder).seq == 10


async def _append(ledger: Ledger, number: int) -> None:
    await ledger.append_async("a", at=AT, facts={"n": number})


def test_loop_that_is_closed_before_the_answer_breaks_nothing(ledger: Ledger) -> None:
    async def main() -> None:
        ledger.append_async("left", at=AT)

    mutex = _hold(ledger)
    asyncio.run(main())
    mutex.release()
    assert ledger.append("after", at=AT).seq == 2


@pytest.mark.parametrize("bound", [(5, 1_000_000), (1_000_000, 800)])
def test_full_queue_refuses_at_once_and_recovers(home: Path, bound: tuple[int, int]) -> None:
    ledger = open_ledger(home / "ledger", max_waiting=bound)

    async def main() -> None:
        mutex = _hold(ledger)
        accepted = []
        with contextlib.suppress(LedgerError):
            while True:
                accepted.append(ledger.append_async("a", at=AT, facts={"text": "x" * 60}))
        with pytest.raises(LedgerError, match="cannot keep up"):
            ledger.append_async("b", at=AT, facts={"text": "x" * 60})
        with pytest.raises(LedgerError, match="cannot keep up"):
            ledger.append("b", at=AT, facts={"text": "x" * 60})
        records, size = ledger.waiting
        assert records == len(accepted) <= bound[0]
        assert size <= bound[1]
        mutex.release()
        assert len(await asyncio.gather(*accepted)) == records
        assert (await ledger.append_async("a", at=AT)).seq == records + 1

    asyncio.run(main())
    assert verify(ledger.folder).seq == ledger.head.seq


def test_loops_and_threads_at_once(ledger: Ledger) -> None:
    async def loop() -> None:
        await asyncio.gather(*(_append(ledger, number) for number in range(100)))

    def blocking() -> None:
        for number in range(50):
            ledger.append("b", at=AT, facts={"n": number})

    work = [lambda: asyncio.run(loop()), lambda: uvloop.run(loop()), blocking, blocking]
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(ledger.folder).seq == 300


def test_bad_record_is_refused_before_it_is_queued(ledger: Ledger) -> None:
    async def main() -> None:
        with pytest.raises(LedgerError, match="time zone"):
            ledger.append_async("a", at=AT.replace(tzinfo=None))
        assert ledger.waiting == (0, 0)

    asyncio.run(main())


def test_a_failed_batch_gives_each_caller_an_error_of_its_own(ledger: Ledger) -> None:
    ledger.append("a", at=AT)
    with (ledger.folder / "000001.jsonl").open("ab") as file:
        file.write(b"{}\n")

    async def main() -> list[object]:
        return await asyncio.gather(*(_append(ledger, number) for number in range(3)), return_exceptions=True)

    errors = asyncio.run(main())
    assert all(isinstance(error, LedgerBroken) and error.line == 2 for error in errors)
    assert len(set(map(id, errors))) == 3


def test_checked_facts_are_written_like_others(ledger: Ledger) -> None:
    facts: dict[str, str | int | float | bool | None] = {"b": 1.5, "a": "x", "c": None}
    ledger.append("a", at=AT, facts=CheckedFacts(facts))
    ledger.append("a", at=AT, facts=facts)
    first, second = ledger.records()
    assert first.facts == second.facts == facts
    assert verify(ledger.folder).seq == 2


def test_thread_ends_when_idle_and_files_are_closed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("careplane.ledger.queueing.IDLE_SECONDS", 0.01)
    ledger.append("a", at=AT)
    while ledger._queue._worker is not None or ledger._writer._files is not None:
        time.sleep(0.005)
    assert ledger.append("b", at=AT).seq == 2
    ledger.close()
    ledger.close()
    assert ledger.append("c", at=AT).seq == 3


@pytest.mark.filterwarnings("ignore:This process")
def test_child_of_a_fork_appends_too(ledger: Ledger) -> None:
    ledger.append("parent", at=AT)
    child = os.fork()
    if child == 0:
        ledger.append("child", at=AT)
        os._exit(0)
    for _ in range(20):
        ledger.append("parent", at=AT)
    assert os.waitpid(child, 0)[1] == 0
    assert verify(ledger.folder).seq == 22


def test_replaced_folder_is_noticed_at_the_next_record(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append("a", at=AT)
    ledger.folder.rename(tmp_path / "aside")
    with pytest.raises(LedgerError, match="could not be made durable"):
        ledger.append("b", at=AT)
    (tmp_path / "aside").rename(ledger.folder)
    assert ledger.append("c", at=AT).seq == 2
