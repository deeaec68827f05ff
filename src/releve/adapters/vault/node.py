"""One entry of a tree, and the exact bytes of a tree.

Source: restic's `internal/data/node.go` and `tree.go`; Go's `encoding/json` for the escapes. The id
of a tree is the hash of these bytes, so the order of the fields and each escape count.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from releve.adapters.vault.clock import from_ns, to_ns
from releve.adapters.vault.quote import quote, unquote
from releve.adapters.vault.scratch import Scratch

_KINDS: Mapping[int, str] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFBLK: "dev",
    stat.S_IFCHR: "chardev",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
_FORMATS = {name: number for number, name in _KINDS.items()}
# Go's FileMode: the type and the three special bits stand above the nine permission bits.
_GO_TYPE = {
    "dir": 1 << 31,
    "symlink": 1 << 27,
    "dev": 1 << 26,
    "chardev": (1 << 26) | (1 << 21),
    "fifo": 1 << 25,
    "socket": 1 << 24,
}
_GO_SPECIAL = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))
_HTML = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_WIDE = 4 << 20  # bytes of a tree: some 12,000 entries
_AT_ONCE = 64 << 20  # bytes of a tree that are cut in one go, ten times faster, at the price of a copy
Raw = bytes | Scratch  # the bytes of a tree, in memory or not
_SAFE = re.compile(r'[^"\\\x00-\x1f<>&\u2028\u2029\ud800-\udfff]*')


@dataclass(frozen=True, slots=True)
class Node:
    """A file, folder, link or special file. Times are nanoseconds since 1970; ids are 32 raw bytes."""

    name: bytes
    kind: str
    mode: int  # permissions and special bits as the system has them (07777)
    mtime: int
    ctime: int = 0
    atime: int = 0
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0  # of the file system; kept where links > 1, to tell hard links apart
    size: int = 0  # bytes, files only
    links: int = 0
    target: bytes = b""  # of a symbolic link
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: int = 0
    content: tuple[bytes, ...] = ()
    subtree: bytes = b""
    extra: Mapping[str, object] = field(default_factory=dict)  # what another writer added; kept, not used

    @property
    def is_dir(self) -> bool:
        """Whether it has entries of its own."""
        return self.kind == "dir"


def kind_of(mode: int) -> str:
    """The kind of a file from its `st_mode`; "irregular" for what the format cannot hold."""
    return _KINDS.get(stat.S_IFMT(mode), "irregular")


def format_of(kind: str) -> int:
    """The file type bits of a kind. Raises KeyError."""
    return _FORMATS[kind]


def text(value: str) -> str:
    """A JSON string exactly as Go writes it."""
    if _SAFE.fullmatch(value):
        return f'"{value}"'
    clean = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if _lone(value) else value
    return _ESCAPE.sub(_as_go, json.dumps(clean, ensure_ascii=False)).translate(_HTML)


_ESCAPE = re.compile(r"\\.")  # whole escapes: "\\f" is a backslash and an f, not a form feed
_GO_ESCAPES = {"\\b": "\\u0008", "\\f": "\\u000c"}


def _as_go(escape: re.Match[str]) -> str:
    return _GO_ESCAPES.get(escape[0], escape[0])


def _lone(value: str) -> bool:
    return any(0xD800 <= ord(char) <= 0xDFFF for char in value)


def encode(node: Node) -> bytes:
    """The JSON of one entry."""
    mode = _go_mode(node)
    mtime = from_ns(node.mtime)
    atime = mtime if node.atime == node.mtime else from_ns(node.atime)
    ctime = mtime if node.ctime == node.mtime else from_ns(node.ctime)
    out = [f'{{"name":{text(quote(node.name))},"type":"{node.kind}"']
    if mode:
        out.append(f',"mode":{mode}')
    out.append(f',"mtime":"{mtime}","atime":"{atime}","ctime":"{ctime}","uid":{node.uid},"gid":{node.gid}')
    if node.user:
        out.append(f',"user":{text(node.user)}')
    if node.group:
        out.append(f',"group":{text(node.group)}')
    if node.inode:
        out.append(f',"inode":{node.inode}')
    if node.device_id:
        out.append(f',"device_id":{node.device_id}')
    if node.size:
        out.append(f',"size":{node.size}')
    if node.links:
        out.append(f',"links":{node.links}')
    if node.target:
        out.append(_target(node.target))
    if node.xattrs:
        pairs = ",".join(f'{{"name":{text(name)},"value":"{_b64(value)}"}}' for name, value in node.xattrs)
        out.append(f',"extended_attributes":[{pairs}]')
    if generic := node.extra.get("generic_attributes"):
        out.append(f',"generic_attributes":{json.dumps(generic, separators=(",", ":"))}')
    if node.device:
        out.append(f',"device":{node.device}')
    if node.kind == "file":
        out.append(',"content":[' + ",".join(f'"{item.hex()}"' for item in node.content) + "]")
    else:
        out.append(',"content":null')
    if node.subtree:
        out.append(f',"subtree":"{node.subtree.hex()}"')
    if error := node.extra.get("error"):
        out.append(f',"error":{text(str(error))}')
    out.append("}")
    return "".join(out).encode("utf-8")


def encode_file(
    name: bytes, facts: os.stat_result, names: tuple[str, str], content: Sequence[bytes]
) -> bytes:
    """The same as `encode` of a regular file of one name and without attributes, several times faster.

    `names`: of its owner and of its group, "" when unknown.
    """
    mtime = from_ns(facts.st_mtime_ns)
    ctime = mtime if facts.st_ctime_ns == facts.st_mtime_ns else from_ns(facts.st_ctime_ns)
    user, group = names
    mode = _optional("mode", _go_bits(facts.st_mode))
    size = _optional("size", facts.st_size)
    inode = _optional("inode", facts.st_ino)
    owner = (f',"user":{text(user)}' if user else "") + (f',"group":{text(group)}' if group else "")
    held = ",".join([f'"{item.hex()}"' for item in content])
    return (
        f'{{"name":{text(quote(name))},"type":"file"{mode},"mtime":"{mtime}","atime":"{mtime}","ctime":"{ctime}",'
        f'"uid":{facts.st_uid},"gid":{facts.st_gid}{owner}{inode}{size},"links":1,"content":[{held}]}}'
    ).encode()


def _optional(name: str, number: int) -> str:
    return f',"{name}":{number}' if number else ""


def _target(target: bytes) -> str:
    try:
        return f',"linktarget":{text(target.decode("utf-8"))}'
    except UnicodeDecodeError:
        shown = "".join(
            "\\ufffd" if 0xDC80 <= ord(char) <= 0xDCFF else text(char)[1:-1]
            for char in target.decode("utf-8", "surrogateescape")
        )
        return f',"linktarget":"{shown}","linktarget_raw":"{_b64(target)}"'


@lru_cache(maxsize=1024)
def _go_bits(mode: int) -> int:
    return (mode & 0o777) | sum(bit for ours, bit in _GO_SPECIAL if mode & ours)


def _go_mode(node: Node) -> int:
    return _go_bits(node.mode) | _GO_TYPE.get(node.kind, 1 << 19 if node.kind == "irregular" else 0)


def tree(nodes: Sequence[bytes]) -> bytes:
    """The bytes of a tree: entries already encoded, already in ascending order of their raw names."""
    return b'{"nodes":[' + b",".join(nodes) + b"]}\n"


def decode(raw: Raw) -> Iterator[Node]:
    """The entries of a tree, in its order. Raises ValueError."""
    yield from map(_node, _items(raw))


def _items(raw: Raw) -> Iterator[Mapping[str, Any]]:
    """The entries as JSON gives them; of a wide tree one by one, for together they are six times its bytes."""
    if isinstance(raw, Scratch) or (len(raw) > _WIDE and _canonical(raw)):
        for entry in entries(raw):
            yield json.loads(_LEAD + entry + b"}")
        return
    value = json.loads(raw)
    if not isinstance(value, dict) or not isinstance(value.get("nodes", False), list | None):
        raise ValueError("not a tree")
    yield from value["nodes"] or ()


Outline = tuple[bytes, str, int, list[bytes], bytes]


def outline(raw: Raw) -> Iterator[Outline]:
    """Of each entry of a tree what it leads to: name, kind, size, content, subtree. Raises ValueError."""
    for item in _items(raw):
        try:
            content = [bytes.fromhex(one) for one in item.get("content") or ()]
            subtree = bytes.fromhex(item.get("subtree") or "")
            yield unquote(item["name"]), str(item.get("type")), _int(item.get("size")), content, subtree
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an entry: {error}") from error


def differences(old: Raw, new: Raw) -> Iterator[tuple[Node | None, Node | None]]:
    """What changed between two trees, in the order of the names: (before, after), None where there is none.

    Entries whose bytes are the same are never decoded: one change in a folder of 100,000 costs the
    comparison of bytes. Raises ValueError.
    """
    if isinstance(old, Scratch) or isinstance(new, Scratch):
        yield from _side_by_side(entries(old), entries(new))
        return
    before, after = set(entries(old)), set(entries(new))
    gone = {name_of(one): one for one in before - after}
    come = {name_of(one): one for one in after - before}
    for name in sorted(gone.keys() | come.keys()):
        yield _decoded(gone.get(name)), _decoded(come.get(name))


def _side_by_side(old: Iterator[bytes], new: Iterator[bytes]) -> Iterator[tuple[Node | None, Node | None]]:
    """The same of wide trees, neither of which is ever whole in memory; both must be in the order of the names."""
    was, is_ = next(old, None), next(new, None)
    last = b""
    while was is not None or is_ is not None:
        before = None if was is None else name_of(was)
        after = before if is_ == was else None if is_ is None else name_of(is_)
        name = min(one for one in (before, after) if one is not None)
        if name <= last:
            raise ValueError("the names are not in order")
        last = name
        if is_ != was:
            yield _decoded(was if before == name else None), _decoded(is_ if after == name else None)
        if before == name:
            was = next(old, None)
        if after == name:
            is_ = next(new, None)


_OPEN, _CLOSE = b'{"nodes":[', b"]}\n"
_LEAD = b'{"name":'
_BETWEEN = b"}," + _LEAD
BEGIN, GAP = len(_OPEN + _LEAD), len(_BETWEEN)
_ENTRY = re.compile(rb'"(?:[^"\\]|\\.)*","type":"')


def entries(raw: Raw) -> Iterator[bytes]:
    """The bytes of each entry, without its lead `{"name":` and its last brace. Raises ValueError."""
    if isinstance(raw, Scratch):
        yield from _long_entries(raw) if canonical(raw) else entries(b"".join(raw))
        return
    if raw == _OPEN + _CLOSE or not raw:
        return
    if not _canonical(raw):
        yield from (encode(node)[len(_LEAD) : -1] for node in decode(raw))
        return
    begun, end = len(_OPEN + _LEAD), len(raw) - len(b"}" + _CLOSE)
    if len(raw) <= _AT_ONCE and b'_attributes":' not in raw:
        yield from raw[begun:end].split(_BETWEEN)
        return
    while True:
        at = raw.find(_BETWEEN, begun, end)
        while at >= 0 and not _ENTRY.match(raw, at + len(_BETWEEN)):
            at = raw.find(_BETWEEN, at + 1, end)  # attributes are lists of names too: still the same entry
        if at < 0:
            yield raw[begun:end]
            return
        yield raw[begun:at]
        begun = at + len(_BETWEEN)


def _long_entries(raw: Scratch) -> Iterator[bytes]:
    entry, left = b"", b""  # what may go on in the next piece: an entry, and what follows its last cut so far
    for piece in raw.pieces(BEGIN, raw.size - len(b"}" + _CLOSE)):
        *whole, left = (left + piece).split(_BETWEEN)
        for one in whole:
            if _ENTRY.match(one):
                if entry:
                    yield entry
                entry = one
            else:
                entry = entry + _BETWEEN + one if entry else one  # as above
    if _ENTRY.match(left):
        if entry:
            yield entry
        yield left
    else:
        yield entry + _BETWEEN + left if entry else left


def canonical(raw: Scratch) -> bool:
    """Whether a long tree is written as we write it: its entries begin at `BEGIN`, `GAP` bytes between two."""
    return _canonical(raw.read(0, BEGIN) + raw.read(max(BEGIN, raw.size - len(_CLOSE) - 1), len(_CLOSE) + 1))


def _canonical(raw: bytes) -> bool:
    return raw.startswith(_OPEN + _LEAD) and raw.endswith(b"}" + _CLOSE)


def name_of(entry: bytes) -> bytes:
    """The name in an entry as `entries` gives it. Raises ValueError."""
    found = _ENTRY.match(entry)
    if found is None:
        raise ValueError("not an entry")
    text = found[0][: -len(b',"type":"')]
    return unquote(json.loads(text)) if b"\\" in text else text[1:-1]


def from_entry(entry: bytes) -> Node:
    """The node of an entry as `entries` gives it. Raises ValueError."""
    return _node(json.loads(b'{"name":' + entry + b"}"))


def _decoded(entry: bytes | None) -> Node | None:
    return None if entry is None else from_entry(entry)


def _node(item: Mapping[str, object]) -> Node:
    get = item.get
    kind = str(get("type"))
    mode = _int(get("mode"))
    special = sum(ours for ours, bit in _GO_SPECIAL if mode & bit)
    raw = get("linktarget_raw")
    known = {"generic_attributes": get("generic_attributes"), "error": get("error")}
    try:
        mtime = to_ns(str(item["mtime"]))
        return Node(
            name=unquote(str(item["name"])),
            kind=kind,
            mode=(mode & 0o777) | special,
            mtime=mtime,
            ctime=to_ns(str(item["ctime"])),
            atime=mtime if item["atime"] == item["mtime"] else to_ns(str(item["atime"])),
            uid=_int(get("uid")),
            gid=_int(get("gid")),
            user=str(get("user", "")),
            group=str(get("group", "")),
            inode=_int(get("inode")),
            device_id=_int(get("device_id")),
            size=_int(get("size")),
            links=_int(get("links")),
            target=base64.b64decode(str(raw)) if raw else str(get("linktarget", "")).encode(),
            xattrs=tuple(_pairs(get("extended_attributes"))),
            device=_int(get("device")),
            content=tuple(bytes.fromhex(one) for one in _list(get("content"))),
            subtree=bytes.fromhex(str(get("subtree") or "")),
            extra={name: kept for name, kept in known.items() if kept},
        )
    except KeyError as error:
        raise ValueError(f"an entry lacks {error}") from error


def _pairs(value: object) -> Iterator[tuple[str, bytes]]:
    for one in _list(value):
        yield str(one["name"]), base64.b64decode(str(one["value"] or ""))


def _list(value: object) -> Iterable:  # type: ignore[type-arg]
    return value if isinstance(value, list) else ()


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
