"""The register of a state folder: a signed chain on plain SQLite, for processes that cannot afford Django.

The chain is that of the log of evidence (`chain`, `domain.evidence`); here each entry is signed too (Ed25519), and
what came before a `CARRIED` entry is let go: that entry carries what is still needed of it, and its `previous` is the
hash of the last entry that was let go. Heads that were given out stay (`anchors`), so that they can always be found.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from releve.adapters.ledger.chain import Chain
from releve.adapters.ledger.witness import WitnessFile
from releve.domain.errors import BadInput, Unreachable
from releve.domain.evidence import GENESIS, Entry, Flaw, Head, verify
from releve.domain.os_errors import unwritable

CARRIED = "carried"  # kind of the entry that stands for all before it
_SIGNED = b"releve register 1\n"  # what a signature is of: this, then the entry's hash in hex
_TABLES = """
CREATE TABLE IF NOT EXISTS entry (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  previous TEXT NOT NULL, hash TEXT NOT NULL, signature BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS anchor (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """An entry and its signature (64 bytes)."""

    entry: Entry
    signature: bytes

    def by(self, public: str) -> bool:
        """Whether the holder of that key (64 hexadecimal digits) signed it."""
        return signed_by(public, self.entry.hash, self.signature)


class Register:
    """One folder's chain: `register.sqlite3`, its witness `register.head`, its key `register.key` (0600).

    Safe in several processes and threads at once. Every method raises `Unreachable` or `BadInput` when the disk says no.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = threading.Lock()
        with _said(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(
                os.open(
                    folder / "register.sqlite3", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
            )
            self._rows = _Rows(folder / "register.sqlite3")
            self._witness = WitnessFile(folder, "register.head")
            self._chain = Chain(self._rows, self._witness)
            with self._alone():
                self._rows.key = _key(folder)
                self._chain.open()
        self.public = public_of(self._rows.key)

    def close(self) -> None:
        """Close the database."""
        self._rows.database.close()

    def append(self, kind: str, body: Mapping[str, object], at: datetime) -> Entry:
        """Add an entry, durable on return. `body`: JSON-ready. With `CARRIED`, all before it is let go."""
        plain = json.loads(_text(body))  # what is hashed must be exactly what will be read back
        with _said(self._folder), self._alone():
            return self._chain.append(kind, plain, at.astimezone(UTC))

    def entries(self, after: int = 0) -> Iterator[Signed]:
        """Those that come after that number, in order."""
        with _said(self._folder):
            yield from self._rows.read(after)

    def end(self) -> Head:
        """(number, hash) of the last entry."""
        with _said(self._folder):
            return self._rows.end()

    def snapshot(self) -> tuple[list[Signed], Head | None]:
        """Entries and witnessed head of one instant; None: the witness is missing."""
        with _said(self._folder), self._alone():
            return list(self._rows.read(0)), self._chain.head()

    def give_out(self) -> Head:
        """The head, remembered for good: `passed_through` will find it whatever is let go later."""
        with _said(self._folder), self._alone():
            end = self._rows.end()
            with self._rows.database:
                self._rows.database.execute("INSERT OR REPLACE INTO anchor VALUES (?, ?)", end)
            return end

    def sign(self, message: bytes) -> bytes:
        """A signature (64 bytes) of anything else that the register vouches for."""
        return self._rows.key.sign(message)

    def passed_through(self, head: Head) -> bool:
        """Whether the chain had that head: it is that of an entry still there, or one that was given out."""
        if head == (0, GENESIS):
            return True
        with _said(self._folder):
            found = self._rows.database.execute(
                "SELECT 1 FROM anchor WHERE seq = ? AND hash = ? UNION SELECT 1 FROM entry "
                "WHERE (seq = ? AND hash = ?) OR (seq = ? AND previous = ?)",
                (*head, *head, head[0] + 1, head[1]),
            ).fetchone()
        return found is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._threads:
            handle = os.open(self._folder / "register.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(
                    handle, fcntl.LOCK_EX
                )  # held for some milliseconds; the kernel frees it at any end
                yield
            finally:
                os.close(handle)


class _Rows:
    """The table. Implements `chain.Rows`."""

    key: Ed25519PrivateKey

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, timeout=30, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.executescript(_TABLES)

    def end(self) -> Head:
        """See `Rows`."""
        last = self.database.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        return (last[0], last[1]) if last else (0, GENESIS)

    def add(self, entry: Entry, key: str) -> None:
        """See `Rows`; entries here have no key."""
        del key
        signature = self.key.sign(_SIGNED + entry.hash.encode())
        at, body = entry.at.isoformat(), _text(entry.body)
        with self.database:
            if entry.kind == CARRIED:
                self.database.execute("DELETE FROM entry WHERE seq < ?", (entry.seq,))
            self.database.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry.seq, at, entry.kind, body, entry.previous, entry.hash, signature),
            )

    def read(self, after: int) -> Iterator[Signed]:
        """Those that come after that number."""
        for seq, at, kind, body, previous, digest, signature in self.database.execute(
            "SELECT * FROM entry WHERE seq > ? ORDER BY seq", (after,)
        ):
            yield _signed(seq, at, kind, body, previous, digest, signature)


def read_only(folder: Path) -> list[Signed] | None:
    """The entries of a folder's chain, in order, and nothing written; None where there is no chain.

    For who only shows it: the disk may be full, or closed to us. Raises `Unreachable`.
    """
    path = folder / "register.sqlite3"
    with _said(folder):
        while True:
            try:
                before = path.stat()
            except FileNotFoundError:
                return None
            # Beside a writer, through the index of its own that is there; alone, without making one.
            alone = not _journal(path).exists()
            found = _entries(path, "immutable=1" if alone else "mode=ro") if before.st_size else []
            after = path.stat()
            if not alone or (before.st_mtime_ns == after.st_mtime_ns and not _journal(path).exists()):
                return found


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _entries(path: Path, how: str) -> list[Signed]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=30)) as database:
        begun = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone()
        rows = database.execute("SELECT * FROM entry ORDER BY seq") if begun else ()
        return [_signed(*row) for row in rows]


def flaws(entries: list[Signed], head: Head | None, public: str) -> list[Flaw]:
    """Every flaw of a register read in storage order: of its chain (see `evidence.verify`) and of its signatures."""
    plain = [one.entry for one in entries]
    start: Head = (0, GENESIS)
    if plain and plain[0].kind == CARRIED:
        start = (plain[0].seq - 1, plain[0].previous)
    found = verify(plain, head=head, start=start)
    found += [
        Flaw(
            one.entry.seq, "unsigned", f"l'entrée {one.entry.seq} n'est pas signée par la clé de ce registre"
        )
        for one in entries
        if not one.by(public)
    ]
    return found


def exported(one: Signed) -> str:
    """One line of JSON: what `imported` reads, with nothing but this line and the public key."""
    entry = one.entry
    return _text(
        {
            "seq": entry.seq,
            "at": entry.at.isoformat(),
            "kind": entry.kind,
            "body": entry.body,
            "previous": entry.previous,
            "hash": entry.hash,
            "signature": one.signature.hex(),
        }
    )


def imported(line: str) -> Signed:
    """An exported entry. Raises ValueError, KeyError, TypeError."""
    value = json.loads(line)
    return _signed(
        int(value["seq"]),
        value["at"],
        str(value["kind"]),
        _text(value["body"]),
        str(value["previous"]),
        str(value["hash"]),
        bytes.fromhex(value["signature"]),
    )


def signed_by(public: str, digest: str, signature: bytes) -> bool:
    """Whether `signature` is that of an entry's hash by this key (64 hexadecimal digits)."""
    return vouched(public, _SIGNED + digest.encode(), signature)


def vouched(public: str, message: bytes, signature: bytes) -> bool:
    """Whether the holder of that key signed that message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_of(key: Ed25519PrivateKey) -> str:
    """The public key, 64 hexadecimal digits."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _signed(seq: int, at: str, kind: str, body: str, previous: str, digest: str, signature: bytes) -> Signed:
    """The entry as it stands. What can no longer be read gets a body that no hash agrees with."""
    before, own = str(previous), str(digest)  # SQLite holds anything in any column
    try:
        entry = Entry(seq, _instant(at), str(kind), json.loads(body), before, own)
    except (ValueError, TypeError):
        entry = Entry(seq, datetime.fromtimestamp(0, UTC), str(kind), {"unreadable": str(body)}, before, own)
    return Signed(entry, signature if isinstance(signature, bytes) else b"")


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"without a zone: {text}")
    return at


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _key(folder: Path) -> Ed25519PrivateKey:
    """The key of the folder, made at first use. Called under the lock."""
    path = folder / "register.key"
    with suppress(FileNotFoundError):
        try:
            found = load_pem_private_key(path.read_bytes(), None)
        except ValueError as error:
            raise BadInput(
                "register-key", f"la clé {path} ne se lit pas", hint="remettez-la d'une sauvegarde"
            ) from error
        if isinstance(found, Ed25519PrivateKey):
            return found
        raise BadInput("register-key", f"{path} n'est pas une clé Ed25519")
    made = Ed25519PrivateKey.generate()
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(above)
    finally:
        os.close(above)
    return made


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unreachable(
            "register-unreachable",
            f"le registre de {folder} ne peut pas être lu ou écrit : {error}",
            hint="vérifiez la place et les droits de ce dossier",
            retryable=True,
        ) from error
    except OSError as error:
        raise unwritable(folder, error, "register-unreachable") from error
