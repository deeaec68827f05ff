"""What changed between two snapshots of a share, counted: what a watch needs to see an attack.

Whether a content can be squeezed is read in the vault's own list (its size there against its size), so nothing is
opened for it. The first bytes are looked at only for files whose extension promises some.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from releve.adapters.engines.files.place import shown
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository, walk
from releve.domain.errors import PromiseBroken
from releve.domain.share import WINDOW, Burst

_LEAST = 512  # bytes: below, a ratio says nothing
_SQUEEZED = 0.85  # stored ÷ plain: what could be squeezed
_HARD = 0.97  # what cannot
_SAMPLES = 5
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = (b"\xd0\xcf\x11\xe0",)
# First bytes by extension. Sources: ISO 32000 (PDF), ECMA-376 and OpenDocument (zip), MS-CFB, ISO 10918, ISO 15948.
_BEGINS: dict[bytes, tuple[bytes, ...]] = {
    b".docx": _ZIP,
    b".xlsx": _ZIP,
    b".pptx": _ZIP,
    b".odt": _ZIP,
    b".ods": _ZIP,
    b".odp": _ZIP,
    b".zip": _ZIP,
    b".doc": _OLE,
    b".xls": _OLE,
    b".ppt": _OLE,
    b".msg": _OLE,
    b".pdf": (b"%PDF",),
    b".jpg": (b"\xff\xd8\xff",),
    b".jpeg": (b"\xff\xd8\xff",),
    b".png": (b"\x89PNG",),
}
# Squeezed by nature, whatever they begin with: what a camera, a recorder or an archiver makes.
_PACKED = frozenset(
    b".7z .aac .avi .avif .br .bz2 .cr2 .dng .epub .flac .gif .gpg .gz .heic .jxl .lz4 .m4a .m4v .mkv .mov .mp3 .mp4 .mpg"
    b" .nef .odg .ogg .opus .pgp .rar .tgz .tif .tiff .webm .webp .woff2 .xz .zst".split()
)
_USUAL = frozenset(
    (*_BEGINS, *_PACKED, b"", b".txt", b".csv")
)  # an extension that nothing is to be concluded from
_MANY = 20_000  # files that went, or came, in one step: beyond, they are only counted, and memory stays small
_SOME = 5  # files of an extension in one step from which the share is searched for others of it

Change = tuple[bytes, Node | None, Node | None]


def burst(
    repository: Repository, old: bytes, new: bytes, *, at: datetime, before: str, snapshot: str, files: int
) -> Burst:
    """Count what differs between two trees of a share."""
    since = int((at - WINDOW).timestamp() * 1e9)
    rewritten = scrambled = removed = 0
    gone: dict[bytes, Node] = {}
    come: dict[bytes, Node] = {}
    went: set[int] = set()  # hashes of paths, which are half as large: a whole folder of a million may go
    came: list[bytes] = []
    samples: list[bytes] = []
    for path, was, is_ in _files(repository, old, new):
        if was is not None and is_ is not None:
            if was.content != is_.content:
                locked = _scrambled(repository, was, is_)
                rewritten += locked or was.mtime < since
                if locked:
                    scrambled += 1
                    samples.append(path)
        elif was is not None:
            removed += 1
            went.add(hash(path))
            if removed <= _MANY:
                gone[path] = was
        elif is_ is not None:
            came.append(path)
            if old and len(came) <= _MANY:
                come[path] = is_
    renamed: Counter[str] = Counter()
    named: set[bytes] = set()
    for path in came:
        stem, extension = os.path.splitext(path)
        if extension and (hash(stem) in went or any(_near(stem, went))):
            renamed[shown(extension)] += 1
            samples.append(path)
            named.add(path)
    few = max(removed, len(came)) <= _MANY
    vanished, others = _unmoved(gone, come) if few else ({}, {})
    others = {path: node for path, node in others.items() if path not in named}
    strange = _strange(repository, others, vanished)
    novel = _novel(repository, old, others, known=_USUAL | {_extension(path) for path in gone})
    samples += [*strange, *(path for path in others if _extension(path) in novel)]
    some = tuple(shown(path) for path in samples[:_SAMPLES])
    return Burst(
        at,
        before,
        snapshot,
        files,
        rewritten,
        scrambled,
        removed,
        dict(renamed),
        len(came),
        sum(1 for path, node in vanished.items() if _sound(repository, path, node)),
        len(strange),
        {shown(extension): count for extension, count in novel.items()},
        some,
    )


def _unmoved(
    gone: Mapping[bytes, Node], come: Mapping[bytes, Node]
) -> tuple[dict[bytes, Node], dict[bytes, Node]]:
    """What went and what came, without those whose content only took another name."""
    moved = Counter(node.content for node in gone.values()) & Counter(node.content for node in come.values())

    def others(files: Mapping[bytes, Node]) -> dict[bytes, Node]:
        left, kept = moved.copy(), {}
        for path, node in files.items():
            if left[node.content]:
                left[node.content] -= 1
            else:
                kept[path] = node
        return kept

    return others(gone), others(come)


def _sound(repository: Repository, path: bytes, node: Node) -> bool:
    """Whether a file that went was a document, as far as its name and its size in the vault tell."""
    return _extension(path) in _BEGINS or _extension(path) in _PACKED or _ratio(repository, node) <= _HARD


def _strange(repository: Repository, come: Mapping[bytes, Node], gone: Mapping[bytes, Node]) -> list[bytes]:
    """Files that nothing can squeeze and that no known format explains. At most as many as went are looked into.

    Without an extension, which is usual for some programs, only where files went from the same folder.
    """
    found: list[bytes] = []
    opened, places = len(gone), {os.path.dirname(path) for path in gone}
    for path, node in come.items():
        begins = _BEGINS.get(_extension(path))
        if _extension(path) in _PACKED or _ratio(repository, node) <= _HARD:
            continue
        if not _extension(path) and os.path.dirname(path) not in places:
            continue
        if begins:
            opened -= 1
            if opened < 0 or _first(repository, node).startswith(begins):
                continue
        found.append(path)
    return found


def _novel(
    repository: Repository, old: bytes, come: Mapping[bytes, Node], *, known: AbstractSet[bytes]
) -> Mapping[bytes, int]:
    """Extensions that some files came with and of which the share had none: extension -> files."""
    counts = Counter(_extension(path) for path in come)
    novel = {one: count for one, count in counts.items() if count >= _SOME and one not in known}
    if novel:
        for _, node in walk(repository, old):
            novel.pop(_extension(node.name), None)
            if not novel:
                break
    return novel


def _extension(path: bytes) -> bytes:
    return os.path.splitext(path)[1].lower()


def _near(stem: bytes, gone: set[int]) -> Iterator[bool]:
    """Whether a name went that has the same stem and a usual extension, for each of these."""
    return (hash(stem + extension) in gone for extension in (*_BEGINS, b".txt", b".csv"))


def _files(repository: Repository, old: bytes, new: bytes) -> Iterator[Change]:
    waiting = [(b"", old, new)]
    while waiting:
        above, before, after = waiting.pop()
        for was, is_ in repository.differences(before, after):
            one = is_ or was
            if one is None:
                continue
            path = above + b"/" + one.name if above else one.name
            folders = [found.subtree if found is not None and found.is_dir else b"" for found in (was, is_)]
            if any(folders):
                waiting.append((path, folders[0], folders[1]))
            files = [found if found is not None and found.kind == "file" else None for found in (was, is_)]
            if any(files):
                yield path, files[0], files[1]


def _scrambled(repository: Repository, was: Node, is_: Node) -> bool:
    # Some programs write one format under another's extension: only what began right and no longer does counts.
    begins = _BEGINS.get(os.path.splitext(is_.name)[1].lower())
    if begins and is_.size >= _LEAST:
        return _first(repository, was).startswith(begins) and not _first(repository, is_).startswith(begins)
    return _ratio(repository, was) < _SQUEEZED and _ratio(repository, is_) > _HARD


def _first(repository: Repository, node: Node) -> bytes:
    try:
        return repository.blob(node.content[0])[:8] if node.content else b""
    except PromiseBroken:
        return b""


def _ratio(repository: Repository, node: Node) -> float:
    """Stored bytes ÷ bytes, from the list alone; 0.9, which says nothing, for what is small or unknown."""
    stored = plain = 0
    for identity in node.content:
        where = repository.index.find(identity)
        if where is None:
            return 0.9
        stored += where.blob.length
        plain += where.blob.size
    return stored / plain if plain >= _LEAST else 0.9
