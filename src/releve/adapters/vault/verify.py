"""Reads every byte of a vault and says what is wrong, file by file. Nothing is sound that was not read.

It takes no lock: a copy that cannot be written is verified too, and a tidying need not wait for hours. Whoever
takes a file away takes away first what names it: what is missing is damage only where, afterwards, all that named
it is still listed. Else one looks again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from releve.adapters.vault.index import Index, from_json
from releve.adapters.vault.listing import Listing
from releve.adapters.vault.node import outline
from releve.adapters.vault.pack import BlobKind, Placed, header_in
from releve.adapters.vault.repository import LONG, Repository, fetched, open_blob, open_long
from releve.adapters.vault.scratch import NO_ROOM
from releve.adapters.vault.seal import Forged, Key
from releve.adapters.vault.store import Absent, Entry, Kind, Store
from releve.domain.errors import PromiseBroken, Unreachable
from releve.domain.units import say_count

_THREADS = 2


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing wrong. `name`: the file of the vault; `blobs`: ids that it can no longer give."""

    kind: Kind
    name: str
    why: str
    blobs: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Verdict:
    """What was looked at, and what is wrong. `lost` are (snapshot, path): what no longer comes back whole."""

    packs: int = 0
    blobs: int = 0
    size: int = 0  # bytes read of packs
    snapshots: int = 0
    content_read: bool = False
    troubles: list[Trouble] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    unused_packs: list[str] = field(default_factory=list)  # in no index: left by an interrupted saving

    @property
    def sound(self) -> bool:
        """Whether nothing wrong was found in what was looked at."""
        return not self.troubles and not self.lost


Progress = Callable[[int, int], None]  # bytes read, bytes to read


def verify(
    repository: Repository,
    *,
    content: bool = True,
    progress: Progress = lambda _done, _all: None,
) -> Verdict:
    """Read all index files, snapshots and trees; with `content`, every byte of every pack too.

    What one look finds wrong while somebody tidies the vault is looked at again: wrong is what two looks in a
    row found, or one during which nothing was taken away. No pack that was found sound is read twice.
    """
    read: set[str] = set()
    before: set[tuple[str, str]] | None = None
    verdict = Verdict(content_read=content)
    while True:
        look = _Look(repository)
        verdict = look.judge(verdict, read, progress)
        wrong = {(one.kind.value, one.name) for one in verdict.troubles} | set(verdict.lost)
        if not wrong or look.stood() or (before is not None and wrong <= before):
            return verdict
        before = wrong


class _Look:
    """One look at the whole vault, and the files that named what it looked for."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._named: dict[Kind, set[str]] = {Kind.SNAPSHOTS: set(), Kind.INDEX: set()}

    def stood(self) -> bool:
        """Whether every snapshot and index file that was listed still is."""
        listed = self._repository.store.entries
        return all(names <= {one.name for one in listed(kind)} for kind, names in self._named.items())

    def judge(self, so_far: Verdict, read: set[str], progress: Progress) -> Verdict:
        """What this look finds. `read`: packs that were found sound; those that are now are added."""
        repository = self._repository
        verdict = Verdict(blobs=so_far.blobs, size=so_far.size, content_read=so_far.content_read)
        _read_keys(repository, verdict)
        snapshots = self._snapshots(verdict)
        named = self._index(verdict)
        packs = {entry.name: entry for entry in repository.store.entries(Kind.DATA)}
        for name in sorted(named.names() - packs.keys()):
            ids = tuple(blob.id for blob in named[name])
            verdict.troubles.append(Trouble(Kind.DATA, name, "ce fichier manque", ids))
        verdict.unused_packs = sorted(packs.keys() - named.names())
        verdict.packs = len(packs)
        if verdict.content_read:
            unread = [entry for entry in packs.values() if entry.name not in read]
            _read_packs(repository, unread, named, verdict, progress)
            read.update(packs.keys() - {one.name for one in verdict.troubles})
        # a blob that was saved again since is read from where the list says it is
        bad = {
            identity
            for trouble in verdict.troubles
            for identity in trouble.blobs
            if repository.index.pack_of(identity) == trouble.name
        }
        _follow(repository, snapshots, bad, verdict)
        return verdict

    def _snapshots(self, verdict: Verdict) -> list[tuple[str, bytes]]:
        import json

        found = []
        for name, raw in self._files(Kind.SNAPSHOTS, verdict):
            try:
                found.append((name, bytes.fromhex(json.loads(raw)["tree"])))
            except (ValueError, KeyError, TypeError) as error:
                verdict.troubles.append(Trouble(Kind.SNAPSHOTS, name, str(error)))
        verdict.snapshots = len(found)
        return found

    def _index(self, verdict: Verdict) -> Listing:
        index, named = Index(), Listing()
        self._repository.index = index  # the one of before goes now: each is 53 MB at a million blobs
        for name, raw in self._files(Kind.INDEX, verdict):
            try:
                for pack, blobs in from_json(raw):
                    index.add(pack, blobs)
                    named.add(pack, blobs)
            except ValueError as error:
                verdict.troubles.append(Trouble(Kind.INDEX, name, str(error)))
        return named

    def _files(self, kind: Kind, verdict: Verdict) -> Iterator[tuple[str, bytes]]:
        """The small files of a kind. One that was listed and is not given is wrong, until `stood` says otherwise."""
        for entry in self._repository.store.entries(kind):
            self._named[kind].add(entry.name)
            try:
                yield entry.name, self._repository.get(kind, entry.name)
            except Absent:
                verdict.troubles.append(Trouble(kind, entry.name, "le coffre le montre et ne le donne pas"))
            except PromiseBroken as error:
                verdict.troubles.append(Trouble(kind, entry.name, str(error)))


def _read_keys(repository: Repository, verdict: Verdict) -> None:
    absent = set()
    for entry in repository.store.entries(Kind.KEYS):
        try:
            raw = repository.store.read(Kind.KEYS, entry.name)
        except Absent:
            absent.add(entry.name)
            continue
        if hashlib.sha256(raw).hexdigest() != entry.name:
            verdict.troubles.append(Trouble(Kind.KEYS, entry.name, "cette clé n'ouvre plus rien"))
    for name in repository.still_listed(Kind.KEYS, absent):
        verdict.troubles.append(Trouble(Kind.KEYS, name, "le coffre le montre et ne le donne pas"))


def _read_packs(
    repository: Repository,
    packs: Iterable[Entry],
    named: Listing,
    verdict: Verdict,
    progress: Progress,
) -> None:
    entries = list(packs)
    total = verdict.size + sum(entry.size for entry in entries)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="vault-verify") as pool:
        reads = pool.map(lambda entry: _read_pack(repository, entry, named.get(entry.name)), entries)
        for entry, (trouble, blobs) in zip(entries, reads, strict=True):
            verdict.blobs += blobs
            verdict.size += entry.size
            if trouble:
                verdict.troubles.append(trouble)
            progress(verdict.size, total)


def _read_pack(repository: Repository, entry: Entry, said: list[Placed] | None) -> tuple[Trouble | None, int]:
    try:
        pack = _taken(repository.store, entry)
    except Absent:
        if said is None:
            return None, 0  # nobody counts on it: a tidying took it
        ids = tuple(blob.id for blob in said)
        return Trouble(Kind.DATA, entry.name, "ce fichier a disparu pendant la lecture", ids), 0
    except Unreachable as error:  # a bad sector: this pack is lost, the others are still to be read
        if error.code == NO_ROOM:
            raise  # it says nothing of the pack
        return Trouble(Kind.DATA, entry.name, error.sentence, tuple(blob.id for blob in said or ())), 0
    whys = []
    if pack.digest != entry.name:
        whys.append("son contenu ne correspond plus à son nom")
    try:
        held = header_in(pack.read, pack.size, repository.key)
    except Forged:
        held = None
        whys.append("sa table est illisible")
    if said is not None and held is not None and sorted(said, key=_offset) != sorted(held, key=_offset):
        whys.append("l'index ne dit pas ce qu'il contient")
    bad = []
    blobs = said if said is not None else held or []
    for blob in blobs:
        try:
            _open(repository.key, pack, blob, entry.name)
        except PromiseBroken:
            bad.append(blob.id)
    if bad:
        whys.append(f"{say_count(len(bad), 'bloc perdu')} sur {len(blobs)}")
    return (Trouble(Kind.DATA, entry.name, " ; ".join(whys), tuple(bad)) if whys else None), len(blobs)


@dataclass(frozen=True, slots=True)
class _Taken:
    """The bytes of a pack, in memory or not. `digest`: what its name should be; `read(at, length)` gives some."""

    size: int
    digest: str
    read: Callable[[int, int], bytes | memoryview]


def _taken(store: Store, entry: Entry) -> _Taken:
    if entry.size > LONG:
        held = fetched(store, entry.name, 0, entry.size)
        digest = hashlib.sha256()
        for piece in held:
            digest.update(piece)
        return _Taken(held.size, digest.hexdigest(), held.read)
    raw = store.read(Kind.DATA, entry.name)
    view = memoryview(raw)
    return _Taken(len(raw), hashlib.sha256(raw).hexdigest(), lambda at, length: view[at : at + length])


def _open(key: Key, pack: _Taken, blob: Placed, name: str) -> None:
    """Raises `PromiseBroken` when the pack does not hold that blob."""
    if blob.size > LONG:
        for _ in open_long(key, lambda at, length: pack.read(blob.offset + at, length), blob, name):
            pass
    else:
        open_blob(key, pack.read(blob.offset, blob.length), blob.id, blob.plain, name)


def _offset(blob: Placed) -> int:
    return blob.offset


def _follow(
    repository: Repository, snapshots: Iterable[tuple[str, bytes]], bad: set[bytes], verdict: Verdict
) -> None:
    """Walk every tree once; a tree that several snapshots share is reported for each of them."""
    known: dict[bytes, list[str]] = {}
    for name, tree in snapshots:
        for path in _losses(repository, tree, bad, known):
            verdict.lost.append((name, path or "/"))


def _losses(repository: Repository, tree: bytes, bad: set[bytes], known: dict[bytes, list[str]]) -> list[str]:
    """What does not come back of a tree. However deep it is: each folder waits for those in it, outside our stack."""
    waiting = [(tree, _losses_of(repository, tree, bad, known))]
    while waiting:
        current, work = waiting[-1]
        try:
            subtree = next(work)
        except StopIteration as end:
            known[current] = end.value
            waiting.pop()
        except (PromiseBroken, ValueError):
            known[current] = [""]
            waiting.pop()
        else:
            waiting.append((subtree, _losses_of(repository, subtree, bad, known)))
    return known[tree]


def _losses_of(
    repository: Repository, tree: bytes, bad: set[bytes], known: dict[bytes, list[str]]
) -> Generator[bytes, None, list[str]]:
    """Gives each folder in it that must be known before it goes on."""
    if tree in known:
        return known[tree]
    if tree in bad:
        return [""]
    lost: list[str] = []
    last = None
    for name, kind, size, content, subtree in outline(repository.listing(tree)):
        shown = "/" + name.decode("utf-8", "surrogateescape")
        if last is not None and name <= last:
            lost.append(f"{shown} (ordre des noms)")
        last = name
        if kind == "dir":
            if subtree not in known:
                yield subtree
            lost += [shown + below for below in known[subtree]]
        elif not _whole(repository.index, content, bad, size if kind == "file" else None):
            lost.append(shown)
    return lost


def _whole(index: Index, content: Iterable[bytes], bad: set[bytes], wanted: int | None) -> bool:
    """Whether each blob is there, and together they make the size of the file."""
    total = 0
    for identity in content:
        found = None if identity in bad else index.size(identity)
        if found is None or found[0] != BlobKind.DATA:
            return False
        total += found[1]
    return wanted is None or total == wanted
