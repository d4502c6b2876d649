"""Whatever is done to a ledger in whatever order, it verifies against every anchor that was ever taken."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.ledger import Ledger, open_ledger, prepare, verify
from careplane.ledger.anchoring import anchor, open_tree
from careplane.ledger.packing import pack
from careplane.ledger.proofs import TreeHead, check_proof, prove_growth, prove_record
from careplane.ledger.retention import removable, remove

START = datetime(2018, 1, 1, tzinfo=UTC)
STEP = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 40)),
    st.tuples(st.just("batch"), st.integers(1, 40)),
    st.tuples(st.sampled_from(["anchor", "pack", "reopen", "retain", "prove"]), st.just(0)),
)


class Story:
    """A ledger, a clock that moves a day for each record, and the anchors taken so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.day = 0
        self.written = 0
        self.heads: list[TreeHead] = []
        self.ledger = self.opened()

    def opened(self) -> Ledger:
        return open_ledger(self.folder, segment_bytes=1_500)

    @property
    def now(self) -> datetime:
        self.day += 1
        return START + timedelta(days=self.day)

    def take(self, step: str, count: int) -> None:
        if step == "append":
            for _ in range(count // 10 + 1):
                self.ledger.append("a", at=self.now, facts={"n": self.day})
        elif step == "batch":
            entries = [prepare("b", self.now, facts={"n": self.day}) for _ in range(count)]

            async def main() -> None:
                await self.ledger.append_all_async(entries)

            asyncio.run(main())
        elif step == "anchor":
            self.heads.append(anchor(self.ledger, self.now))
        elif step == "pack":
            open_tree(self.ledger, self.now)
            pack(self.folder, self.ledger.tail.segment)
        elif step == "reopen":
            self.ledger.close()
            self.ledger = self.opened()
        elif step == "retain":
            remove(self.ledger, removable(self.ledger, self.now - timedelta(days=20), self.now), "K. Lee", self.now)
        else:
            self.prove()

    def prove(self) -> None:
        tree, key = open_tree(self.ledger, self.now)
        check_proof(prove_record(tree, tree.size, key, self.now), key.public)
        for head in self.heads:
            check_proof(prove_growth(tree, head, key, self.now), key.public)


@settings(deadline=None, max_examples=12)
@given(st.lists(STEP, min_size=3, max_size=12))
def test_any_order_of_deeds_verifies(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "home" / "ledger")
        for step, count in steps:
            story.take(step, count)
            head = verify(story.folder, story.heads)
            assert head == story.ledger.head
        seqs = [record.seq for record in story.ledger.records()]
        assert seqs == list(range(head.seq - len(seqs) + 1, head.seq + 1))
        story.prove()
        story.ledger.close()
