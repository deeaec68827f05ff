"""Thinning a share's history and taking its room back: the relief's work, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.files.alert import read as read_alert
from releve.adapters.engines.files.marks import Mark, Snapshots, late
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.notes import put
from releve.adapters.vault.locks import hold as lock
from releve.adapters.vault.merging import Merged, Retired, merge, store_clock
from releve.adapters.vault.repository import damaged
from releve.adapters.vault.sightings import Sightings
from releve.adapters.vault.store import Kind
from releve.cycle.protect.retention import LATE, Flow, Ruling, thin
from releve.domain.errors import Unreachable
from releve.entrypoints.worker.copies import judged
from releve.entrypoints.worker.register import Watch, trees_beside

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository, Snapshot


def thin_share(
    vault: Repository,
    share: str,
    state: Path,
    *,
    yes: bool,
    copies_too: bool = False,
    past_too: bool = False,
    beside: Sequence[Path] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[list[Ruling], Merged]:
    """Rule on each snapshot of the share; with `yes`, remove and merge. Safe to cut anywhere and to repeat.

    `copies_too`: as in `copies`. `past_too`: a person lets what only a past epoch has be judged like the rest.
    `beside`: the state folders of other data of the same vault: what their lists have stays too.
    """
    with ExitStack() as stack:
        stack.enter_context(only_one(state / "thin.lock", f"l'éclaircissage de « {share} »"))
        snapshots = Snapshots(vault, share)
        known = snapshots.look()
        refuse_beside(snapshots.unreadable)
        watch = Watch(vault, state, share, now=_now)
        stack.callback(watch.close)
        watch.look(known)
        watch.settle(known)
        clock = None
        if yes:
            stack.enter_context(lock(vault, exclusive=False, now=_now))
            clock = store_clock(vault)
        past = _past(known)
        holding = {**({} if past_too else past), **_standing(state)}
        line, apart = (share,), (share, LATE)  # what was never applied competes with none of what was
        seen = watch.held(known, lambda one: apart if past.get(one.id) == LATE else line)
        held, copies = judged(seen, watch.roll, too=copies_too)
        rulings = thin(held, Flow(), watch.now(clock), holding, copies)
        if not yes:
            return rulings, Merged()
        watch.remove(rulings, lambda names: remove_snapshots(vault, names))
        if known:
            watch.leave_head(known[-1][1])
        note = state / "retired.json"
        return rulings, merge(
            vault,
            read_note(note),
            keep=lambda retired: write_note(note, retired),
            now=_now,
            sightings=Sightings(state / "sightings.json"),
            listed=[*watch.trees(), *trees_beside(beside, vault.id)],
            progress=progress,
        )


def _now() -> datetime:
    return datetime.now(UTC)


def refuse_beside(unreadable: Sequence[str]) -> None:
    """Raises `PromiseBroken` when the look by which a thinning decides could not read a snapshot.

    What else such a snapshot needs nobody knows: the WAL of a base, say. What becomes unreadable later has been weighed.
    """
    if unreadable:
        raise damaged(f"snapshots/{unreadable[0]}", "il ne se lit pas, et rien n'est retiré à côté de lui")


def remove_snapshots(vault: Repository, names: Sequence[str]) -> None:
    """Under a lock that the caller holds."""
    for name in names:
        vault.store.remove(Kind.SNAPSHOTS, name)


def _past(known: Sequence[tuple[Mark, Snapshot]]) -> Mapping[str, str]:
    """Why some stay of the epochs that ended: the newest of each, and what was never applied, of which it may be the only copy."""
    epoch = known[-1][0].epoch if known else 0
    beyond = dict.fromkeys(late(known, epoch), LATE)
    last = {mark.epoch: one.id for mark, one in known if mark.epoch < epoch and one.id not in beyond}
    return {**beyond, **{name: f"le dernier de l'époque {ended}" for ended, name in last.items()}}


def _standing(state: Path) -> Mapping[str, str]:
    """The snapshot from which the copy goes on, and the last clean one of an alert."""
    stands = "la copie s'y tient"
    alert = read_alert(state / "alert.json")
    clean = {alert.clean: stands} if alert else {}
    try:
        position = json.loads((state / "position.json").read_text(encoding="utf-8"))
        return {**clean, str(position["snapshot"]): stands}
    except FileNotFoundError:
        return clean
    except (ValueError, KeyError, TypeError) as error:
        raise Unreachable("share-state", f"la position de la copie ne se lit pas : {error}") from error


def read_note(note: Path) -> Mapping[str, Retired]:
    """What earlier mergings retired. Raises `Unreachable`."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return {name: Retired(name, datetime.fromisoformat(at)) for name, at in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreachable(
            "share-state",
            f"la note {note} ne se lit pas : {error}",
            hint="supprimez-la : ses paquets, dans aucune liste, partiront après un jour",
        ) from error


def write_note(note: Path, retired: Mapping[str, Retired]) -> None:
    """The same, durable on return."""
    put(note, json.dumps({name: one.at.isoformat() for name, one in retired.items()}).encode())
