"""The last saved state of a folder, kept as it was written: what is unchanged is recognised without being decoded."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping

from releve.adapters.vault.node import BEGIN, GAP, Node, Raw, canonical, entries, from_entry, name_of, text
from releve.adapters.vault.quote import quote
from releve.adapters.vault.scratch import Scratch

_LEAD = b'{"name":'
_NAME_ENDS = b'","type":"'
_CONTENT = b'"content":['
_NEAR = 4  # entries looked at one after the other before the name is searched for


class Past:
    """Entries by name. Raises ValueError on bytes that are no tree."""

    def __init__(self, raw: bytes = b"") -> None:
        self._entries: Mapping[bytes, bytes] = {_key(one): one[len(_key(one)) :] for one in entries(raw)}

    def __len__(self) -> int:
        return len(self._entries)

    def _find(self, key: bytes) -> bytes | None:
        rest = self._entries.get(key)
        return None if rest is None else key + rest

    def node(self, name: bytes) -> Node | None:
        """The entry of that name, decoded."""
        found = self._find(_written(name))
        return None if found is None else from_entry(found)

    def same(self, fresh: bytes) -> bytes:
        """The entry whose facts are those of `fresh` (encoded, its content empty); b"" when there is none.

        Name, size, dates, owner, number: every byte up to the content is compared. An entry with extended
        attributes is never the same by this look: it is decoded and compared by the caller.
        """
        body = fresh[len(_LEAD) :]
        found = self._find(_key(body))
        if found is None or not found.startswith(body[:-2]) or not found.endswith(b"]"):
            return b""
        return _LEAD + found + b"}"


class LongPast(Past):
    """The same of a wide folder, whose entries stay in a file: 8 bytes of each are in memory.

    Quick for names that are asked for in their order. Of a tree in another order some are not found: read again.
    """

    def __init__(self, raw: Scratch) -> None:
        super().__init__()
        self._raw = raw
        self._places = array("Q")
        at = BEGIN
        for entry in entries(raw):
            name_of(entry)  # said here and not in the middle of a saving
            self._places.append(at)
            at += len(entry) + GAP
        self._places.append(at)
        self._at = 0
        self._entry = self._read(0)

    def __len__(self) -> int:
        return len(self._places) - 1

    def _read(self, number: int) -> bytes:
        at = self._places[number]
        return self._raw.read(at, self._places[number + 1] - GAP - at)

    def _find(self, key: bytes) -> bytes | None:
        lead = key + _NAME_ENDS
        for number in range(self._at, min(self._at + _NEAR, len(self))):
            if number != self._at:
                self._at, self._entry = number, self._read(number)
            if self._entry.startswith(lead):
                return self._entry
        name = name_of(lead)
        found = bisect_left(range(len(self)), name, key=lambda number: name_of(self._read(number)))
        if found == len(self):
            return None
        self._at, self._entry = found, self._read(found)
        return self._entry if self._entry.startswith(lead) else None


def past_of(raw: Raw) -> Past:
    """The past that these bytes of a tree tell. Raises ValueError."""
    if isinstance(raw, Scratch):
        return LongPast(raw) if canonical(raw) else Past(b"".join(raw))
    return Past(raw)


def content(encoded: bytes) -> list[bytes]:
    """The ids of what an encoded file holds."""
    listed = encoded[encoded.rindex(_CONTENT) + len(_CONTENT) : -2]
    return [bytes.fromhex(one[1:-1].decode()) for one in listed.split(b",")] if listed else []


def _key(entry: bytes) -> bytes:
    """The name as JSON without its closing quote; a quote inside a name has a backslash before it."""
    return entry[: entry.index(_NAME_ENDS)]


def _written(name: bytes) -> bytes:
    return text(quote(name)).encode()[:-1]
