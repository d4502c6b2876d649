"""Merkle trees against the reference vectors of Certificate Transparency and against the definition in RFC 9162."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.ledger.merkle import (
    EMPTY,
    Frontier,
    consistency_path,
    extends,
    includes,
    inclusion_path,
    leaf_hash,
    root_of,
)

# Inputs and roots of the reference implementation of RFC 6962 (google/certificate-transparency, merkletree tests).
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(data) for data in INPUTS]
# Paths of the same reference, for leaf and tree size, and for two tree sizes.
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
GROWTHS: dict[tuple[int, int], list[str]] = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def _defined(leaves: list[bytes]) -> bytes:
    """The root as section 2.1.1 of RFC 9162 defines it, with nothing clever."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + _defined(leaves[:split]) + _defined(leaves[split:])).digest()


def _numbered(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


MANY = _numbered(64)


def _subtree(low: int, high: int) -> bytes:
    frontier = Frontier(low)
    frontier.extend(MANY[low:high])
    return frontier.root()


def test_reference_roots() -> None:
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [root_of(LEAVES[: size + 1]).hex() for size in range(8)] == ROOTS


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_reference_inclusion_paths(index: int, size: int) -> None:
    path = inclusion_path(index, size, lambda low, high: _defined(LEAVES[low:high]))
    assert [value.hex() for value in path] == PATHS[index, size]
    assert includes(LEAVES[index], index, size, path, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new"), GROWTHS)
def test_reference_consistency_paths(old: int, new: int) -> None:
    path = consistency_path(old, new, lambda low, high: _defined(LEAVES[low:high]))
    assert [value.hex() for value in path] == GROWTHS[old, new]
    assert extends(old, new, path, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]))


def test_roots_of_all_sizes_are_the_defined_ones() -> None:
    for size in range(65):
        assert root_of(MANY[:size]) == _defined(MANY[:size])


def test_every_leaf_of_every_size_is_proved_at_its_place_only() -> None:
    for size in range(1, 65):
        root = _defined(MANY[:size])
        for index in range(size):
            path = inclusion_path(index, size, _subtree)
            assert includes(MANY[index], index, size, path, root)
            assert not includes(MANY[(index + 1) % 64], index, size, path, root)
            assert not includes(MANY[index], (index + 1) % size, size, path, root) or size == 1
            assert not includes(MANY[index], index, size, [*path, root], root)
            assert not path or not includes(MANY[index], index, size, path[:-1], root)


def test_every_growth_is_proved_and_no_other_root() -> None:
    roots = [_defined(MANY[:size]) for size in range(65)]
    for new in range(65):
        for old in range(new + 1):
            path = consistency_path(old, new, _subtree)
            assert extends(old, new, path, roots[old], roots[new])
            assert not extends(old, new, [*path, roots[0]], roots[old], roots[new])
            assert not extends(old, new, path, roots[(old + 1) % 65], roots[new])
            assert not extends(old, new, path, roots[old], roots[(new + 1) % 65]) or old == 0
            assert not path or not extends(old, new, path[:-1], roots[old], roots[new])
    assert not extends(5, 4, [], roots[5], roots[4])
    assert not extends(-1, 4, [], roots[0], roots[4])


@settings(deadline=None)
@given(st.lists(st.integers(0, 64), max_size=6))
def test_frontiers_of_parts_join_to_that_of_the_whole(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), 64]
    whole = Frontier()
    for low, high in itertools.pairwise(bounds):
        part = Frontier(low)
        for leaf in MANY[low:high]:
            part.extend([leaf])
        assert Frontier(low, part.nodes).nodes == part.nodes
        whole.join(part)
    assert whole.root() == _defined(MANY)
    assert whole.end == 64
