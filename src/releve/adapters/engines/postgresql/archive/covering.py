"""Which snapshots of a chapter have nothing that a fuller one lacks: seen by comparing what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releve.adapters.engines.postgresql.archive.catalogue import Chapter
from releve.adapters.engines.postgresql.archive.marks import INSTANTS, PARTIAL
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository

_KNOWN = 64  # trees held in memory: what two neighbours share, and not a day of them


def covered(vault: Repository, same: Sequence[Chapter]) -> set[str]:
    """The ids of those (of one chapter, the fullest last) of which the fullest has every file, with the same content.

    A file that was partial must be there, whole or partial. The list of instants only grows, and is not compared.
    """
    if len(same) < 2:
        return set()
    trees = _Trees(vault)
    last = same[-1].snapshot.tree
    known, fullest = trees.folders(last), trees.files(last)
    return {one.snapshot.id for one in same[:-1] if _within(trees, one.snapshot.tree, known, fullest)}


def _within(trees: _Trees, one: bytes, known: set[bytes], fullest: Mapping[bytes, Node]) -> bool:
    """`known`: the trees that the fullest has itself."""
    for folder in trees.folders(one) - known:
        for name, node in trees.of(folder).items():
            if node.is_dir or name.endswith(INSTANTS.encode()):
                continue
            partial = PARTIAL.encode()
            there = fullest.get(name)
            if name.endswith(partial):
                if there is None and name.removesuffix(partial) not in fullest:
                    return False
            elif there is None or there.content != node.content:
                return False
    return True


class _Trees:
    """A tree is read once while it is of use: two snapshots that follow each other share all but three."""

    def __init__(self, vault: Repository) -> None:
        self._vault = vault
        self._known: dict[bytes, dict[bytes, Node]] = {}

    def of(self, identity: bytes) -> Mapping[bytes, Node]:
        """The entries of a tree."""
        found = self._known.pop(identity, None)
        if found is None:
            found = {node.name: node for node in self._vault.tree(identity)}
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

    def files(self, root: bytes) -> dict[bytes, Node]:
        """Every file of a snapshot; names are unique."""
        return {
            name: node
            for folder in self.folders(root)
            for name, node in self.of(folder).items()
            if not node.is_dir
        }
