"""What the last snapshot of a share holds, entry by entry, on disk: a share of a million files fits in no memory.

Only a cache: it can be lost at any time and is filled again from the vault. So it is written without
fsync, and thrown away when the machine started anew since.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SHAPE = 3  # of the tables below: a file of another shape is thrown away
_PAGES = 16_000  # KiB of SQLite's own cache
_PAGE = 500  # entries read at once
_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE folder (id INTEGER PRIMARY KEY, inode INTEGER, device INTEGER, subtree BLOB);
CREATE INDEX folder_inode ON folder (inode);
CREATE TABLE entry (
  folder INTEGER, name BLOB, child INTEGER, inode INTEGER, links INTEGER,
  size INTEGER, mtime INTEGER, ctime INTEGER, node BLOB,
  PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE INDEX entry_inode ON entry (inode);
CREATE INDEX entry_child ON entry (child) WHERE child IS NOT NULL;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it was saved. `child`: its own folder id, for a folder. `node`: its bytes in the tree.

    `ctime` 0: it was read in the same instant as it changed, and is to be read again when looked at.
    """

    name: bytes
    child: int | None
    inode: int
    links: int
    size: int
    mtime: int
    ctime: int
    node: bytes


_ROW = "SELECT name, child, inode, links, size, mtime, ctime, node FROM entry WHERE folder = ? "
_ONE = _ROW + "AND name = ?"
_NEXT = _ROW + "AND name > ? ORDER BY name LIMIT ?"
ROOT = 1


class Cache:
    """One share's entries. Changes are kept by `commit`, forgotten by `rollback`."""

    def __init__(self, path: Path, owner: str) -> None:
        """`owner`: what the cache must be of (vault, share, start of the machine); anything else is emptied."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._owner = f"{_SHAPE} {owner}"
        self._dropped: list[int] = []
        self._base = self._opened()
        self._count()

    def _opened(self) -> sqlite3.Connection:
        try:
            base = self._connect()
            row = base.execute("SELECT value FROM about WHERE name = 'owner'").fetchone()
            if row is not None and row[0] == self._owner:
                return base
            base.close()
        except sqlite3.DatabaseError:
            pass  # no cache yet, or not a readable one: an empty one takes its place
        for left in self._path.parent.glob(self._path.name + "*"):
            left.unlink(missing_ok=True)
        base = self._connect()
        base.executescript(_TABLES)
        base.execute("INSERT INTO about VALUES ('owner', ?)", (self._owner,))
        base.execute("INSERT INTO folder VALUES (?, 0, 0, NULL)", (ROOT,))
        base.commit()
        return base

    def _connect(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, check_same_thread=False)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = OFF")
        base.execute(f"PRAGMA cache_size = -{_PAGES}")
        return base

    def close(self) -> None:
        """Forget what was not committed."""
        self._base.rollback()
        self._base.close()

    def commit(self, snapshot: str, tree: bytes, inode: int) -> None:
        """What was changed is now what this snapshot holds. `inode`: of the share's own folder."""
        kept = {
            "snapshot": snapshot,
            "tree": tree,
            "files": self.files,
            "size": self.size,
            "inode": fit(inode),
        }
        self._base.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", kept.items())
        self._base.commit()

    def rollback(self) -> None:
        """Back to the last snapshot."""
        self._base.rollback()
        self._count()

    def _count(self) -> None:
        found = dict(self._base.execute("SELECT name, value FROM about WHERE name IN ('files', 'size')"))
        self.files, self.size = int(found.get("files", 0)), int(found.get("size", 0))

    @property
    def snapshot(self) -> tuple[str, bytes]:
        """The snapshot that the cache describes and its root tree; ("", b"") when it describes none."""
        found = dict(self._base.execute("SELECT name, value FROM about WHERE name IN ('snapshot', 'tree')"))
        return str(found.get("snapshot", "")), bytes(found.get("tree", b""))

    @property
    def inode(self) -> int:
        """That of the share's own folder, as it was at the last snapshot; 0 when there is none."""
        found = self._base.execute("SELECT value FROM about WHERE name = 'inode'").fetchone()
        return int(found[0]) if found else 0

    def row(self, folder: int, name: bytes) -> Row | None:
        """An entry of a folder."""
        found = self._base.execute(_ONE, (folder, name)).fetchone()
        return Row(*found) if found else None

    def rows(self, folder: int) -> Iterator[Row]:
        """Every entry of a folder as it was when it is reached, in the order of the names. Puts and drops may go on."""
        last = b""
        while found := self._base.execute(_NEXT, (folder, last, _PAGE)).fetchall():
            last = found[-1][0]
            yield from (Row(*one) for one in found)

    def nodes(self, folder: int) -> Iterator[bytes]:
        """The bytes of every entry, in the order of the raw names."""
        found = self._base.execute("SELECT node FROM entry WHERE folder = ? ORDER BY name", (folder,))
        return (one[0] for one in found)

    def width(self, folder: int) -> int:
        """How many entries a folder has."""
        return int(self._base.execute("SELECT count(*) FROM entry WHERE folder = ?", (folder,)).fetchone()[0])

    def put(self, folder: int, row: Row, old: Row | None) -> None:
        """Insert an entry, or put it in the place of `old`."""
        self._base.execute(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (folder, row.name, row.child, row.inode, row.links, row.size, row.mtime, row.ctime, row.node),
        )
        if old is not None:
            self._less(old)
        if row.child is None:
            self.files += 1
            self.size += row.size

    def drop(self, folder: int, row: Row) -> None:
        """Forget an entry. What is below it stays until `sweep`: it may have moved elsewhere."""
        self._base.execute("DELETE FROM entry WHERE folder = ? AND name = ?", (folder, row.name))
        self._less(row)

    def _less(self, row: Row) -> None:
        if row.child is not None:
            self._dropped.append(row.child)
        else:
            self.files -= 1
            self.size -= row.size

    def make_folder(self, inode: int, device: int) -> int:
        """The id for a folder: the one that it had at the place where it is no more, or a new one."""
        known = self._base.execute(
            "SELECT id FROM folder WHERE inode = ? AND device = ? AND id <> ?"
            " AND NOT EXISTS (SELECT 1 FROM entry WHERE child = folder.id)",
            (inode, device, ROOT),
        ).fetchone()
        if known:
            return int(known[0])
        made = self._base.execute("INSERT INTO folder VALUES (NULL, ?, ?, NULL)", (inode, device))
        return int(made.lastrowid or 0)

    def subtree(self, folder: int) -> bytes:
        """The id of the tree that was last written for a folder; empty: none."""
        found = self._base.execute("SELECT subtree FROM folder WHERE id = ?", (folder,)).fetchone()
        return bytes(found[0] or b"") if found else b""

    def set_subtree(self, folder: int, tree: bytes) -> None:
        """Remember the tree of a folder."""
        self._base.execute("UPDATE folder SET subtree = ? WHERE id = ?", (tree, folder))

    def same_inode(self, inode: int) -> Iterator[tuple[int, bytes]]:
        """Every name of a file, as far as it was saved: (folder, name)."""
        yield from self._base.execute(
            "SELECT folder, name FROM entry WHERE inode = ? AND child IS NULL", (inode,)
        ).fetchall()

    def path(self, folder: int) -> bytes | None:
        """The path of a folder from the share's root; None when nothing leads to it any more."""
        parts: list[bytes] = []
        while folder != ROOT:
            found = self._base.execute("SELECT folder, name FROM entry WHERE child = ?", (folder,)).fetchone()
            if found is None:
                return None
            folder = int(found[0])
            parts.append(found[1])
        return b"/".join(reversed(parts))

    def folder_after(self, folder: int) -> int | None:
        """The folder with the next id; None after the last."""
        found = self._base.execute("SELECT min(id) FROM folder WHERE id > ?", (folder,)).fetchone()
        return None if found[0] is None else int(found[0])

    def sweep(self) -> set[int]:
        """Forget the folders that nothing leads to any more, with all below; the inodes of hard links among it."""
        shared: set[int] = set()
        while self._dropped:
            folder = self._dropped.pop()
            if self._base.execute("SELECT 1 FROM entry WHERE child = ?", (folder,)).fetchone():
                continue  # it lives on elsewhere
            for row in self.rows(folder):
                self._less(row)
                if row.links > 1:
                    shared.add(row.inode)
            self._base.execute("DELETE FROM entry WHERE folder = ?", (folder,))
            self._base.execute("DELETE FROM folder WHERE id = ?", (folder,))
        return shared


def fit(number: int) -> int:
    """A 64-bit number as SQLite can keep it: inodes and times may use the highest bit."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
