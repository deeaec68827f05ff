"""Which snapshots of a chapter have nothing that a fuller one lacks: seen by comparing what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from releve.adapters.engines.postgresql.archive import instants
from releve.adapters.engines.postgresql.archive.catalogue import Chapter
from releve.adapters.engines.postgresql.archive.marks import INSTANTS, PARTIAL, filled
from releve.adapters.engines.postgresql.archive.trees import Trees
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository
from releve.domain.errors import PromiseBroken

_CHAINS = 8  # of snapshots that cover each other; an honest chapter is one


def covered(vault: Repository, same: Sequence[Chapter]) -> set[str]:
    """The ids of those (of one chapter, the fullest last) of which another, that stays or is covered too, has everything.

    Everything: each file with the same content, of a partial one all bytes that it had, and each instant. A fuller one
    that cannot be read covers nothing. So whoever may only add snapshots makes some stay, and none go.
    """
    trees = Trees(vault)
    found: set[str] = set()
    ends: list[Chapter] = []  # the last of each chain
    for one in reversed(same):
        fuller = next((end for end in reversed(ends[-_CHAINS:]) if _within(trees, one, end)), None)
        if fuller is not None:
            found.add(one.snapshot.id)
            ends.remove(fuller)
        ends.append(one)
    return found


def _within(trees: Trees, one: Chapter, fuller: Chapter) -> bool:
    root, other = one.snapshot.tree, fuller.snapshot.tree
    try:
        trees.require_all(other)
        have = trees.files(other)
        return all(
            _has(trees, have, name, node, one.mark.until)
            for folder in trees.folders(root) - trees.folders(other)
            for name, node in trees.of(folder).items()
            if not node.is_dir
        )
    except PromiseBroken:
        return False


def _has(trees: Trees, have: dict[str, Node], name: str, node: Node, until: int) -> bool:
    there = have.get(name)
    if there is not None and there.content == node.content:
        return True
    if name.endswith(INSTANTS):
        return there is not None and instants.within(
            instants.read(trees.text(node)), instants.read(trees.text(there))
        )
    if not name.endswith(PARTIAL):
        return False
    fuller = there or have.get(name.removesuffix(PARTIAL))
    return fuller is not None and trees.begins_as(fuller, node, filled(name, node.size, until) or node.size)
