"""The last saved state of a folder, kept as it was written: what is unchanged is recognised without being decoded."""

from __future__ import annotations

from collections.abc import Mapping

from releve.adapters.vault.node import Node, entries, from_entry, text
from releve.adapters.vault.quote import quote

_LEAD = b'{"name":'
_NAME_ENDS = b'","type":"'
_CONTENT = b'"content":['


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


def content(encoded: bytes) -> list[bytes]:
    """The ids of what an encoded file holds."""
    listed = encoded[encoded.rindex(_CONTENT) + len(_CONTENT) : -2]
    return [bytes.fromhex(one[1:-1].decode()) for one in listed.split(b",")] if listed else []


def _key(entry: bytes) -> bytes:
    """The name as JSON without its closing quote; a quote inside a name has a backslash before it."""
    return entry[: entry.index(_NAME_ENDS)]


def _written(name: bytes) -> bytes:
    return text(quote(name)).encode()[:-1]
