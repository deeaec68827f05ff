"""The chain of evidence: what shows, and what cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.domain.evidence import (
    BREAK,
    GENESIS,
    Entry,
    Head,
    Witness,
    break_of,
    passes_through,
    seal,
    settle,
    verify,
)

T0 = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def chain(count: int) -> list[Entry]:
    """A sound chain."""
    entries: list[Entry] = []
    for number in range(1, count + 1):
        previous = entries[-1].hash if entries else GENESIS
        entries.append(seal(number, T0 + timedelta(seconds=number), "fait", {"n": number}, previous))
    return entries


def head_of(entries: list[Entry]) -> Head:
    """Count and last hash."""
    return (len(entries), entries[-1].hash) if entries else (0, GENESIS)


def codes(entries: list[Entry], head: Head | None) -> set[str]:
    """The codes of what is wrong."""
    return {flaw.code for flaw in verify(entries, head=head)}


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_sound_chain_has_no_flaw(count: int) -> None:
    """Nothing is reported of a chain as it was written, with or without its head."""
    entries = chain(count)
    assert verify(entries, head=head_of(entries)) == []
    assert verify(entries, head=None) == []


def test_the_hash_of_an_entry_is_fixed() -> None:
    """A head printed years ago must still be found: the way of hashing never changes."""
    entry = seal(1, T0, "fait", {"b": 1, "a": "é\udcff"}, GENESIS)
    assert entry.hash == "4fcb24fd95404de90a74b5057be76e002976f5d8a0f55461c1cc52a3e76bfde9"


TAMPERINGS: dict[str, tuple[Callable[[list[Entry]], list[Entry]], str]] = {
    "body": (lambda e: [*e[:2], replace(e[2], body={"n": 99}), *e[3:]], "altered"),
    "instant": (lambda e: [*e[:2], replace(e[2], at=T0), *e[3:]], "altered"),
    "kind": (lambda e: [replace(e[0], kind="autre"), *e[1:]], "altered"),
    "rehashed": (lambda e: [*e[:2], seal(3, T0, "fait", {"n": 99}, e[1].hash), *e[3:]], "reordered"),
    "first removed": (lambda e: e[1:], "removed"),
    "middle removed": (lambda e: [*e[:2], *e[3:]], "removed"),
    "swapped": (lambda e: [e[1], e[0], *e[2:]], "reordered"),
    "doubled": (lambda e: [*e[:3], e[2], *e[3:]], "reordered"),
    "tail removed": (lambda e: e[:-1], "truncated"),
    "tail rewritten": (lambda e: [*e[:-1], seal(5, T0, "fait", {"n": 99}, e[-2].hash)], "truncated"),
    "entry added": (lambda e: [*e, seal(6, T0, "faux", {}, e[-1].hash)], "truncated"),
    "all removed": (lambda _: [], "truncated"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_tampering_shows(name: str) -> None:
    """Altered, removed, reordered, cut, added: each is found, under its own word."""
    tamper, code = TAMPERINGS[name]
    entries = chain(5)
    assert code in codes(tamper(entries), head_of(entries))


def test_a_cut_tail_needs_the_head_to_show() -> None:
    """Without the head the shorter chain is sound: that is why the head is kept elsewhere."""
    entries = chain(5)
    assert codes(entries[:-1], None) == set()


@given(st.integers(1, 8), st.data())
def test_no_single_change_goes_unseen(count: int, data: st.DataObject) -> None:
    """Law: any chain that differs from the one written has a flaw under the written head."""
    entries = chain(count)
    changed = list(entries)
    index = data.draw(st.integers(0, count - 1))
    match data.draw(st.sampled_from(["drop", "alter", "move"])):
        case "drop":
            del changed[index]
        case "alter":
            changed[index] = replace(changed[index], body={"n": -1})
        case _:
            changed.insert(data.draw(st.integers(0, count - 1)), changed.pop(index))
    if changed != entries:
        assert verify(changed, head=head_of(entries))


def test_a_crash_leaves_the_head_at_one_of_two_places() -> None:
    """Announced and committed: the new end counts; announced only: the old one does."""
    entries = chain(3)
    before, after = head_of(entries[:2]), head_of(entries)
    witness = Witness(before, after)
    assert settle(witness, after) == after
    assert settle(witness, before) == before
    assert verify(entries, head=settle(witness, after)) == []
    assert verify(entries[:2], head=settle(witness, before)) == []


def test_nobody_else_fits_in_the_window_of_a_crash() -> None:
    """While an entry is announced, another one in its place, or a shorter chain, still shows."""
    entries = chain(3)
    witness = Witness(head_of(entries[:2]), head_of(entries))
    forged = [*entries[:2], seal(3, T0, "faux", {}, entries[1].hash)]
    assert codes(forged, settle(witness, head_of(forged))) == {"truncated"}
    assert codes(entries[:1], settle(witness, head_of(entries[:1]))) == {"truncated"}


def test_a_break_is_named_and_never_forgotten() -> None:
    """A chain that does not end at its head gets an entry that says so, and that entry is a flaw for good."""
    entries = chain(3)
    cut = entries[:2]
    assert break_of(head_of(cut), head_of(cut)) is None
    found = break_of(head_of(entries), head_of(cut))
    assert found == {"expected": [3, entries[2].hash], "found": [2, cut[1].hash]}
    healed = [*cut, seal(3, T0, BREAK, found, cut[-1].hash)]
    healed.append(seal(4, T0, "fait", {}, healed[-1].hash))
    assert codes(healed, head_of(healed)) == {"broken"}


def test_a_missing_witness_is_a_break_except_at_the_beginning() -> None:
    """Taking the witness away does not make a chain look new."""
    assert break_of(None, (0, GENESIS)) is None
    assert break_of(None, head_of(chain(1))) == {"expected": None, "found": [1, chain(1)[0].hash]}
    assert settle(None, (0, GENESIS)) is None


def test_a_printed_head_is_found_in_the_chain_that_had_it() -> None:
    """The head of any past instant is found; that of a rewritten chain is not."""
    entries = chain(4)
    assert all(passes_through(entries, head_of(entries[:count])) for count in range(5))
    assert not passes_through(entries, (2, entries[2].hash))
    assert not passes_through(entries[:1], head_of(entries))
    assert not passes_through(entries, (0, entries[0].hash))
