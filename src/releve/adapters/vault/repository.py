"""An open vault: its key, its list of blobs, its small sealed files."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import zstandard

from releve.adapters.vault.clock import rfc3339, to_datetime
from releve.adapters.vault.index import Index, Where, from_json, to_json
from releve.adapters.vault.keyfile import USUAL, Cost, KeyFile, describe, unwrap, wrap
from releve.adapters.vault.node import Node, Raw, decode, differences
from releve.adapters.vault.pack import BlobKind, Placed
from releve.adapters.vault.polynomial import draw
from releve.adapters.vault.scratch import PIECE, Scratch
from releve.adapters.vault.seal import Forged, Key
from releve.adapters.vault.store import Absent, Entry, Kind, Store
from releve.domain.errors import BadInput, PromiseBroken, Refused, ReleveError, Unreachable

LONG = 32 << 20  # bytes of a tree: some 90,000 entries; a longer one is passed through in pieces
_FETCH = 8 << 20  # bytes asked of a store at a time
_LARGEST_BLOB = 1 << 30  # bytes a blob may unfold to: the tree of a folder of a million files is 350 MB
_LEVEL = 3  # of zstd: restic's default is the like
_SQUEEZED = b"\x02"
_MOST_KEYS = 20  # of which restic tries one after the other, in the order of the folder, before it gives up
_YOUNG = 10_000_000_000  # ns: a file that the store dates so lately may still be being written
_BECOMES = 2.0  # seconds that it is given to become whole
_LOOK = 0.05  # seconds between two looks at it
_STILL = 4  # looks that show the same: it changes no more

_LONE = re.compile("[\ud800-\udfff]")
_T = TypeVar("_T")


class _Squeezers(threading.local):
    """One per thread: a shared zstd context crashes the interpreter."""

    def __init__(self) -> None:
        self.squeeze = zstandard.ZstdCompressor(level=_LEVEL)
        self.unfold = zstandard.ZstdDecompressor()


_own = _Squeezers()


def squeeze(plain: bytes | memoryview) -> bytes:
    """One zstd frame."""
    return _own.squeeze.compress(plain)


def squeeze_pieces(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same of `size` bytes that come in parts and are too large for the memory."""
    going = zstandard.ZstdCompressor(level=_LEVEL).compressobj(size=size)
    for part in parts:
        yield going.compress(part)
    yield going.flush()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of some folders. `at` is what the client claimed; `seen` what the store says, if it says."""

    id: str
    at: datetime
    tree: bytes
    paths: tuple[str, ...]
    hostname: str = ""
    username: str = ""
    tags: tuple[str, ...] = ()
    parent: str = ""
    program: str = ""
    summary: Mapping[str, int] = field(default_factory=dict)
    seen: datetime | None = None


class Repository:
    """Reads everything, writes the small files. Blobs are written by `writer.Writer`."""

    def __init__(self, store: Store, key: Key, identity: str) -> None:
        self.store = store
        self.key = key
        self.id = identity
        self.index = Index()
        self.lacking: tuple[str, ...] = ()  # of the server, when the vault was just made
        self._looking = threading.Lock()
        self._listed: set[str] = set()  # index files that `index` holds

    def put(self, kind: Kind, value: object) -> str:
        """Seal a value into a new file of that kind, durable on return; its name."""
        return self.put_plain(
            kind, as_kept(json.dumps(value, separators=(",", ":"), ensure_ascii=False)).encode()
        )

    def put_plain(self, kind: Kind, plain: bytes) -> str:
        """The same of a value that is written already."""
        sealed = self.key.seal(_SQUEEZED + squeeze(plain))
        name = hashlib.sha256(sealed).hexdigest()
        self.store.write(kind, name, [sealed])
        return name

    def get(self, kind: Kind, name: str, *, seen: int = 0) -> bytes:
        """The JSON of a small file. Raises `PromiseBroken` when it is not what was written, `Absent`.

        `seen`: as in `Entry`. A server in front of a folder that we read ourselves (rclone's) shows a name before its
        bytes: a young file, or one that the store does not date (REST), is read again while it grows, before anybody is
        told that the vault is damaged.
        """
        raw = self.store.read(kind, name)
        young = not seen or abs(time.time_ns() - seen) < _YOUNG
        if hashlib.sha256(raw).hexdigest() != name and young:
            raw = self._grown(kind, name, raw)
        if hashlib.sha256(raw).hexdigest() != name:
            raise damaged(f"{kind}/{name}", "son contenu ne correspond plus à son nom")
        try:
            return _unfolded(self.key.unseal(raw))
        except (Forged, zstandard.ZstdError) as error:
            raise damaged(f"{kind}/{name}", "son sceau est faux") from error

    def _grown(self, kind: Kind, name: str, raw: bytes) -> bytes:
        """A file that is not what its name says, once it is, or once it changes no more."""
        until = time.monotonic() + _BECOMES
        same = 0
        while time.monotonic() < until and same < _STILL:
            time.sleep(_LOOK)
            before, raw = raw, self.store.read(kind, name)
            same = same + 1 if raw == before and raw else 0
        return raw

    def load_index(self) -> Index:
        """Read every index file. Snapshots must be listed before this, never after."""
        with self._looking:
            self.index, self._listed = Index(), set()
            return self._refresh()

    def refresh_index(self) -> Index:
        """Read the index files that are new since the last look; all of them when one has gone."""
        with self._looking:
            return self._refresh()

    def _refresh(self) -> Index:
        index, listed = self.index, self._listed
        absent = ""
        while True:
            names = {entry.name: entry.seen for entry in self.store.entries(Kind.INDEX)}
            if not listed <= names.keys():
                index, listed = Index(), set()
            fresh = sorted(names.keys() - listed)
            for name in fresh:
                try:
                    for pack, blobs in from_json(self.get(Kind.INDEX, name, seen=names[name])):
                        index.add(pack, blobs)
                except Absent as error:
                    if name == absent:
                        raise withheld(Kind.INDEX, name) from error
                    absent = name
                    break  # replaced by a merging since it was listed: look again, its successor is there
                except ValueError as error:
                    raise damaged(f"index/{name}", "il ne se lit pas") from error
                listed.add(name)
            else:
                self.index, self._listed = index, listed
                return index

    def stands(self) -> bool:
        """Whether every index file that was read is still there: nobody has moved what `index` tells of."""
        with self._looking:
            return self._listed <= {entry.name for entry in self.store.entries(Kind.INDEX)}

    def put_index(self, packs: Mapping[str, Iterable[Placed]]) -> str:
        """Write an index file of packs that `index` knows already; its name."""
        name = self.put_plain(Kind.INDEX, to_json(packs))
        with self._looking:
            for pack, blobs in packs.items():
                self.index.add(pack, blobs)  # known already, unless the list was read anew meanwhile
            self._listed.add(name)
        return name

    def where(self, identity: bytes) -> Where:
        """Where a blob lies, by the index files of now if those of then do not say. Raises `PromiseBroken`."""
        where = self.index.find(identity) or self.refresh_index().find(identity)
        if where is None:
            raise damaged(f"bloc {identity.hex()}", "aucun index ne dit où il est")
        return where

    def blob(self, identity: bytes) -> bytes:
        """The bytes of a blob, compared with its id. Raises `PromiseBroken`."""
        return self._read(identity, self._blob)

    def listing(self, identity: bytes) -> Raw:
        """The bytes of a tree, compared with its id: those of a wide one never lie in memory. Raises `PromiseBroken`."""
        return self._read(identity, self._listing)

    def _read(self, identity: bytes, act: Callable[[Where], _T]) -> _T:
        where = self.where(identity)
        try:
            return act(where)
        except Absent as error:
            moved = self.refresh_index().find(identity)  # a merging may have moved it since
            if moved is None or moved.pack == where.pack:
                raise damaged(f"data/{where.pack}", "ce fichier manque") from error
            return self._read(identity, act)

    def _blob(self, where: Where) -> bytes:
        place = where.blob
        sealed = self.store.read(Kind.DATA, where.pack, place.offset, place.length)
        return open_blob(self.key, sealed, place.id, place.plain, f"data/{where.pack}")

    def _listing(self, where: Where) -> Raw:
        if where.blob.size <= LONG:
            return self._blob(where)
        sealed = fetched(self.store, where.pack, where.blob.offset, where.blob.length)
        opened = Scratch()
        for piece in open_long(self.key, sealed.read, where.blob, f"data/{where.pack}"):
            opened.write(piece)
        return opened

    def tree(self, identity: bytes) -> list[Node]:
        """The entries of a tree. Raises `PromiseBroken`."""
        return list(self.nodes(identity))

    def nodes(self, identity: bytes) -> Iterator[Node]:
        """The same one by one, for a folder that may be wide. Raises `PromiseBroken`."""
        try:
            yield from decode(self.listing(identity))
        except ValueError as error:
            raise damaged(f"arbre {identity.hex()}", f"il ne se lit pas ({error})") from error

    def differences(self, old: bytes, new: bytes) -> Iterator[tuple[Node | None, Node | None]]:
        """What changed from one tree (its id; empty: none) to another, as `node.differences`."""
        if old == new:
            return
        try:
            yield from differences(self.listing(old) if old else b"", self.listing(new) if new else b"")
        except ValueError as error:
            raise damaged(f"arbre {new.hex()}", f"il ne se lit pas ({error})") from error

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, oldest first by what its client claimed. Raises `PromiseBroken`.

        One that was thinned away since it was listed is none. One that the store lists and does not give is
        damage: a pruning that took it for none would take its data.
        """
        found, absent = [], set()
        for entry in self.store.entries(Kind.SNAPSHOTS):
            try:
                found.append(self.read_snapshot(entry))
            except Absent:
                absent.add(entry.name)
        for name in self.still_listed(Kind.SNAPSHOTS, absent):
            raise withheld(Kind.SNAPSHOTS, name)
        return sorted(found, key=lambda one: (one.at, one.id))

    def pack(self, name: str) -> bytes:
        """The bytes of a pack. Raises `PromiseBroken` when the store lists it and does not give it."""
        try:
            return self.store.read(Kind.DATA, name)
        except Absent as error:
            raise withheld(Kind.DATA, name) from error

    def still_listed(self, kind: Kind, absent: set[str]) -> list[str]:
        """Of files that were listed and gave nothing: those that are listed all the same. The others were removed."""
        return sorted(absent & {entry.name for entry in self.store.entries(kind)}) if absent else []

    def read_snapshot(self, entry: Entry) -> Snapshot:
        """One snapshot as the store lists it. Raises `PromiseBroken`, `Absent`."""
        return _snapshot(entry.name, self.get(Kind.SNAPSHOTS, entry.name, seen=entry.seen), entry.seen)

    def snapshot(self, name: str) -> Snapshot:
        """The snapshot called so: "latest", or the first digits of its id. Raises `BadInput`."""
        known = self.snapshots()
        if name == "latest" and known:
            return known[-1]
        found = [one for one in known if len(name) >= 4 and one.id.startswith(name)]
        if len(found) == 1:
            return found[0]
        said = "plusieurs instantanés commencent" if found else "aucun instantané ne commence"
        raise BadInput(
            "unknown-snapshot",
            f"{said} par « {name} »",
            hint="« releve vault snapshots » les liste ; « latest » désigne le dernier",
        )

    def save_snapshot(
        self, value: Mapping[str, object], still_ours: Callable[[], None] = lambda: None
    ) -> str:
        """Write a snapshot; everything that it refers to must be durable already.

        `still_ours` raises when the lock under which that was written is gone: then there is no snapshot.
        """
        still_ours()
        name = self.put(Kind.SNAPSHOTS, value)
        try:
            still_ours()  # whoever takes the lock away from here on finds the snapshot
        except ReleveError:
            with suppress(ReleveError):
                self.store.remove(Kind.SNAPSHOTS, name)
            raise
        return name

    def keys(self) -> list[KeyFile]:
        """The key files, oldest first."""
        files = []
        for entry in self.store.entries(Kind.KEYS):
            with suppress(Absent):  # removed since it was listed
                files.append(describe(self.store.read(Kind.KEYS, entry.name)))
        return sorted(files, key=lambda one: (one.created, one.id))

    def add_key(self, password: str, at: datetime, cost: Cost = USUAL, label: str = "") -> str:
        """One more password that opens the vault; the id of its file. `label`: what it is for.

        Raises `Refused` when there are as many as restic tries: beyond, chance would say which pages still open it.
        """
        _strong(password)
        if sum(1 for _ in self.store.entries(Kind.KEYS)) >= _MOST_KEYS:
            raise Refused(
                "too-many-keys",
                f"ce coffre a déjà {_MOST_KEYS} clés, et restic n'en essaie pas plus",
                hint="retirez celles qui ne servent plus : releve vault key list, puis releve vault key remove",
            )
        raw = wrap(self.key, password, at=at, cost=cost, label=label)
        name = hashlib.sha256(raw).hexdigest()
        self.store.write(Kind.KEYS, name, [raw])
        return name

    def remove_key(self, name: str) -> str:
        """Take a password away. Raises `BadInput` (unknown), `Refused` (it is the last)."""
        known = self.keys()
        found = [one for one in known if len(name) >= 4 and one.id.startswith(name)]
        if len(found) != 1:
            raise BadInput("unknown-key", f"aucune clé, ou plusieurs, ne commencent par « {name} »")
        if len(known) == 1:
            raise Refused(
                "last-key",
                "c'est la seule clé du coffre : sans elle, plus rien ne s'ouvre",
                hint="ajoutez d'abord une autre clé : releve vault key add",
            )
        self.store.remove(Kind.KEYS, found[0].id)
        return found[0].id


def _unfolded(plain: bytes) -> bytes:
    if plain[:1] in {b"{", b"["}:
        return plain
    if plain[:1] != _SQUEEZED:
        raise Forged
    return _own.unfold.decompress(plain[1:], max_output_size=_LARGEST_BLOB)


def damaged(what: str, why: str) -> PromiseBroken:
    """The error for bytes that are not those which were written."""
    return PromiseBroken(
        "vault-damaged",
        f"le coffre est abîmé : {what} : {why}",
        hint="« releve vault verify » dit tout ce qui est touché ; « releve vault heal » répare ce qui peut l'être",
    )


def withheld(kind: Kind, name: str) -> PromiseBroken:
    """The error for a file that the store lists, and does not give when it is asked for it."""
    return damaged(f"{kind}/{name}", "le coffre le montre et ne le donne pas")


def open_blob(key: Key, sealed: bytes | memoryview, identity: bytes, plain: int, where: str) -> bytes:
    """The bytes of a sealed blob, seen to be those of `identity`. Raises `PromiseBroken`."""
    try:
        if plain:
            squeezed = key.unseal_here(sealed)
            raw = _own.unfold.decompress(squeezed, max_output_size=min(plain, _LARGEST_BLOB))
        else:
            raw = key.unseal(sealed)
    except (Forged, zstandard.ZstdError) as error:
        raise damaged(where, f"le sceau du bloc {identity.hex()[:12]} est faux") from error
    if hashlib.sha256(raw).digest() != identity:
        raise damaged(where, f"le bloc {identity.hex()[:12]} n'a pas le contenu annoncé")
    return raw


def fetched(store: Store, pack: str, offset: int, length: int) -> Scratch:
    """Bytes of a pack, too many for the memory, as the store gives them. Raises `Absent`."""
    held = Scratch()
    while held.size < length and (
        some := store.read(Kind.DATA, pack, offset + held.size, min(_FETCH, length - held.size))
    ):
        held.write(some)
    return held


def open_long(
    key: Key, read: Callable[[int, int], bytes | memoryview], blob: Placed, where: str
) -> Iterator[bytes]:
    """The same as `open_blob` in pieces: nothing is to be made of them before the last one has come.

    `read(at, length)`: of the sealed bytes. Raises `PromiseBroken`.
    """
    digest, size = hashlib.sha256(), 0
    try:
        pieces = key.unseal_pieces(read, blob.length)
        for piece in _unfolded_pieces(pieces) if blob.plain else pieces:
            size += len(piece)
            if size > _LARGEST_BLOB:
                break
            digest.update(piece)
            yield piece
    except (Forged, zstandard.ZstdError) as error:
        raise damaged(where, f"le sceau du bloc {blob.id.hex()[:12]} est faux") from error
    if size > _LARGEST_BLOB or digest.digest() != blob.id:
        raise damaged(where, f"le bloc {blob.id.hex()[:12]} n'a pas le contenu annoncé")


class _Source:
    """Pieces as a file that is read in order."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        """The next piece; nothing at the end."""
        return next(self._pieces, b"")


def _unfolded_pieces(squeezed: Iterator[bytes]) -> Iterator[bytes]:
    source = _Source(squeezed)
    with zstandard.ZstdDecompressor().stream_reader(source, read_size=PIECE) as reader:  # type: ignore[arg-type]
        while piece := reader.read(PIECE):
            yield piece


def create(store: Store, password: str, at: datetime, cost: Cost = USUAL) -> Repository:
    """Make an empty vault; its first key is `password`. Raises `BadInput` when something is there.

    What the server does not do is in `lacking` of the result, in words.
    """
    _strong(password)
    lacking = tuple(store.make())
    key = Key.new()
    raw = wrap(key, password, at=at, cost=cost)
    store.write(Kind.KEYS, hashlib.sha256(raw).hexdigest(), [raw])
    identity = secrets.token_hex(32)
    value = {"version": 2, "id": identity, "chunker_polynomial": f"{draw():x}"}
    store.write(Kind.CONFIG, "config", [key.seal(json.dumps(value, separators=(",", ":")).encode())])
    vault = Repository(store, key, identity)
    vault.lacking = lacking
    return vault


def open_vault(store: Store, password: str) -> Repository:
    """Open a vault. Raises `Unreachable` (none there), `Refused` (wrong key), `BadInput` (not ours)."""
    key = _unlock(store, password)
    try:
        value = json.loads(key.unseal(store.read(Kind.CONFIG, "config")))
    except Absent as error:
        raise Unreachable(
            "vault-missing",
            f"il n'y a pas de coffre à cet endroit : {store.where}",
            hint="vérifiez le chemin et le montage",
        ) from error
    except Forged as error:
        raise damaged("config", "son sceau est faux") from error
    if value.get("version") not in {1, 2}:
        raise BadInput("vault-version", f"version de coffre inconnue : {value.get('version')}")
    return Repository(store, key, str(value["id"]))


def _unlock(store: Store, password: str) -> Key:
    entries = list(store.entries(Kind.KEYS))
    if not entries:
        raise Unreachable(
            "vault-missing",
            f"il n'y a pas de coffre à cet endroit : {store.where}",
            hint="vérifiez le chemin et le montage ; un coffre neuf se fait par « releve vault init »",
        )
    unreadable = 0
    for entry in entries:
        try:
            raw = store.read(Kind.KEYS, entry.name)
        except Absent:  # removed since it was listed: it opens nothing
            raw = b""
        if hashlib.sha256(raw).hexdigest() != entry.name:
            unreadable += 1
            continue
        try:
            return unwrap(raw, password)
        except Forged:
            continue
        except ValueError:
            unreadable += 1
    if unreadable == len(entries):
        raise damaged("keys", "aucun fichier de clé ne se lit")
    raise Refused(
        "vault-wrong-key",
        "cette clé n'ouvre pas le coffre",
        hint="vérifiez la variable ou le fichier de clé ; la clé imprimée ouvre toujours",
        context={"clés essayées": str(len(entries) - unreadable), "clés illisibles": str(unreadable)},
    )


def _strong(password: str) -> None:
    if len(password) < 12:
        raise BadInput(
            "weak-key",
            "une clé de coffre a au moins 12 caractères",
            hint="« vault init » en tire une au hasard avec --key file:/chemin absent, « vault key print » aussi",
        )


def _snapshot(name: str, raw: bytes, seen: int) -> Snapshot:
    try:
        value = json.loads(raw)
        summary = value.get("summary") or {}
        return Snapshot(
            name,
            to_datetime(value["time"]),
            bytes.fromhex(value["tree"]),
            tuple(value.get("paths") or ()),
            str(value.get("hostname", "")),
            str(value.get("username", "")),
            tuple(value.get("tags") or ()),
            str(value.get("parent") or ""),
            str(value.get("program_version", "")),
            {key: item for key, item in summary.items() if isinstance(item, int)},
            datetime.fromtimestamp(seen / 1e9, UTC) if seen else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise damaged(f"snapshots/{name}", "il ne se lit pas") from error


def as_kept(text: str) -> str:
    """Text as a snapshot keeps it: each byte that is no UTF-8 is U+FFFD there, as Go's JSON has it (restic)."""
    return _LONE.sub("\ufffd", text)


def snapshot_value(
    *,
    at: datetime,
    tree: bytes,
    paths: Sequence[str],
    hostname: str,
    username: str,
    uid: int,
    gid: int,
    tags: Sequence[str] = (),
    parent: str = "",
    program: str = "",
    summary: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """A snapshot as the format orders its fields; empty ones are left out."""
    value: dict[str, object] = {"time": rfc3339(at)}
    if parent:
        value["parent"] = parent
    value |= {"tree": tree.hex(), "paths": list(paths)}
    optional = {"hostname": hostname, "username": username, "uid": uid, "gid": gid, "tags": list(tags)}
    optional |= {"program_version": program, "summary": dict(summary or {})}
    return value | {name: item for name, item in optional.items() if item}


def walk(repository: Repository, tree: bytes, above: bytes = b"") -> Iterator[tuple[bytes, Node]]:
    """Every entry below a tree, parents first, with its path from there (bytes)."""
    for node in repository.nodes(tree):
        path = above + b"/" + node.name
        yield path, node
        if node.is_dir:
            yield from walk(repository, node.subtree, path)


__all__ = [
    "BlobKind",
    "Repository",
    "Snapshot",
    "as_kept",
    "create",
    "damaged",
    "open_blob",
    "open_vault",
    "snapshot_value",
    "squeeze",
    "squeeze_pieces",
    "walk",
    "withheld",
]
