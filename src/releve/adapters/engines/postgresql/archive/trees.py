"""The trees of a chapter's snapshots: one that several share is read once."""

from __future__ import annotations

from collections.abc import Mapping

from releve.adapters.engines.postgresql.archive.pieces import begins_as
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository, damaged

_WIDEST = 8192  # entries of a folder: a chapter has 4096 segments at most, of 1 MiB
_KNOWN = 64  # trees held in memory: what two neighbours share, and not a day of them


class Trees:
    """The newest are held: two snapshots that follow each other share all but three."""

    def __init__(self, vault: Repository) -> None:
        self._vault = vault
        self._known: dict[bytes, Mapping[str, Node]] = {}
        self._good: set[bytes] = set()

    def of(self, identity: bytes) -> Mapping[str, Node]:
        """The entries of a tree. Raises `PromiseBroken`."""
        found = self._known.pop(identity, None)
        if found is None:
            found = {}
            for node in self._vault.nodes(identity):
                found[node.name.decode("ascii", "replace")] = node
                if len(found) > _WIDEST:
                    raise damaged(f"arbre {identity.hex()}", "aucun dossier de journaux n'est si large")
        self._known[identity] = found  # the newest last
        if len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        return found

    def folders(self, root: bytes) -> set[bytes]:
        """The trees of a snapshot."""
        found, waiting = {root}, [root]
        while waiting:
            below = {node.subtree for node in self.of(waiting.pop()).values() if node.is_dir}
            waiting += below - found
            found |= below
        return found

    def files(self, root: bytes) -> dict[str, Node]:
        """Every file of a snapshot; names are unique."""
        return {
            name: node
            for folder in self.folders(root)
            for name, node in self.of(folder).items()
            if node.kind == "file"
        }

    def require(self, node: Node) -> None:
        """Raises `PromiseBroken` when the list of blobs lacks one of a file."""
        for blob in node.content:
            self._vault.where(blob)

    def require_all(self, root: bytes) -> None:
        """The same for all files of a snapshot; a tree found good is not looked through again."""
        for folder in self.folders(root) - self._good:
            for node in self.of(folder).values():
                self.require(node)
            self._good.add(folder)

    def text(self, node: Node) -> str:
        """A small file. Raises `PromiseBroken`."""
        return b"".join(map(self._vault.blob, node.content)).decode("utf-8", "replace")

    def begins_as(self, one: Node, other: Node, end: int) -> bool:
        """Whether two segments have the same first `end` bytes. Raises `PromiseBroken`."""
        return begins_as(one.content, other.content, end, self._length, self._vault.blob)

    def _length(self, blob: bytes) -> int:
        return self._vault.where(blob).blob.size
