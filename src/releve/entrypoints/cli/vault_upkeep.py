"""`releve vault verify|forget|prune|heal`: look at the vault whole, thin it, mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.units import say_count
from releve.entrypoints.cli import vault_work
from releve.entrypoints.cli.rulings import (
    CopiesToo,
    policy_of,
    ruling_values,
    say_copied,
    say_going,
    say_rulings,
)
from releve.entrypoints.cli.speech import Answer, Json, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import DEFAULT_KEY, bar, opened, store_at

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Snapshot

Yes = Annotated[bool, typer.Option("--yes", help="Le faire ; sans cette option, rien n'est touché.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `vault`."""

    @group.command()
    def verify(
        where: Where,
        quick: Annotated[
            bool,
            typer.Option("--quick", help="Sans relire le contenu : index, instantanés et arbres seulement."),
        ] = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Relire chaque octet du coffre et nommer ce qui est abîmé."""
        answer(as_json, lambda: vault_work.verify(where, key, quick=quick))

    @group.command()
    def forget(
        where: Where,
        last: Annotated[int, typer.Option("--keep-last", min=0, help="Garder les N derniers.")] = 0,
        hourly: Annotated[int, typer.Option("--keep-hourly", min=0, help="Un par heure, N heures.")] = 0,
        daily: Annotated[int, typer.Option("--keep-daily", min=0, help="Un par jour, N jours.")] = 0,
        weekly: Annotated[int, typer.Option("--keep-weekly", min=0, help="Un par semaine, N semaines.")] = 0,
        monthly: Annotated[int, typer.Option("--keep-monthly", min=0, help="Un par mois, N mois.")] = 0,
        yearly: Annotated[int, typer.Option("--keep-yearly", min=0, help="Un par an, N ans.")] = 0,
        minimum: Annotated[
            str, typer.Option("--minimum-age", help="Ne jamais retirer plus jeune que cela.")
        ] = "24 h",
        register: Annotated[
            str,
            typer.Option(
                "--register",
                envvar="RELEVE_REGISTER",
                help="Un dossier à nous : la liste de ce que le coffre a montré, sa date vue d'ici, ce qui est retiré.",
            ),
        ] = "",
        copies_too: CopiesToo = False,
        yes: Yes = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Retirer de vieux instantanés, chacun avec sa raison ; montre d'abord, ne fait qu'avec --yes."""
        counts = {
            "last": last,
            "hourly": hourly,
            "daily": daily,
            "weekly": weekly,
            "monthly": monthly,
            "yearly": yearly,
        }
        answer(
            as_json, lambda: _forget(where, key, counts, minimum, register, yes=yes, copies_too=copies_too)
        )

    @group.command()
    def prune(where: Where, yes: Yes = False, key: KeyRef = DEFAULT_KEY, as_json: Json = False) -> None:
        """Rendre la place de ce qu'aucun instantané n'utilise plus ; montre d'abord, ne fait qu'avec --yes."""
        answer(as_json, lambda: _prune(where, key, yes=yes))

    @group.command()
    def heal(
        where: Where,
        second: Annotated[
            str, typer.Option("--from", help="Une seconde copie du même coffre, fichier pour fichier.")
        ] = "",
        drop: Annotated[
            bool,
            typer.Option(
                "--drop-unreadable-snapshots",
                help="Retirer les instantanés que nul ne peut plus lire ; ce qu'eux seuls gardaient sera perdu.",
            ),
        ] = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Réparer le coffre : fichiers repris de la seconde copie, index refaits."""
        answer(as_json, lambda: _heal(where, key, second, drop=drop))


_TICK = 0.01  # seconds by which a file's date may lie before its writing: Linux takes it from its last tick (100 Hz)


def _forget(
    where: str,
    key: str,
    counts: dict[str, int],
    minimum: str,
    state: str,
    *,
    yes: bool,
    copies_too: bool,
) -> Answer:
    import time
    from contextlib import ExitStack
    from dataclasses import replace
    from datetime import timedelta
    from pathlib import Path

    from releve.adapters.hosts.lock import hold as only_one
    from releve.adapters.vault.locks import hold as lock
    from releve.adapters.vault.merging import store_clock
    from releve.cycle.protect.retention import Held, rule
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.worker.copies import judged
    from releve.entrypoints.worker.register import Watch, head_of, of_scope, scope_of
    from releve.entrypoints.worker.thinning import remove_snapshots

    policy = policy_of(counts, minimum)
    vault = opened(where, key)
    roll, clock, since = None, None, 0.0
    with ExitStack() as stack:
        if state:
            stack.enter_context(only_one(Path(state) / "thin.lock", "« releve vault forget »"))
        if yes:  # before anything is announced on the list: refused, nothing is on its way out
            since = time.monotonic()  # the store's clock is the date of our lock, written from here on
            stack.enter_context(lock(vault, exclusive=True, now=utc_now))
            clock = store_clock(vault)
        every = [one for one in vault.snapshots() if not head_of(one)]
        left = sum(1 for one in every if scope_of(one))
        if state:
            watch = Watch(vault, Path(state), "", now=utc_now)
            stack.callback(watch.close)
            known = of_scope(vault, "")
            watch.look(known)
            watch.settle(known)
            roll = watch.roll
            held = watch.held(known, _series)
        else:
            held = [Held(one.id, one.at, one.seen, _series(one)) for one in every if not scope_of(one)]
        if clock is not None:
            clock += timedelta(seconds=time.monotonic() - since + _TICK)
        at = watch.now(clock) if state else min(utc_now(), clock or utc_now())
        held, copies = judged(held, roll, too=copies_too)
        # What is seen at once though it was saved over months has a period of its own each, which only keeps more.
        held = [replace(one, arrived=min(one.arrived or one.claimed, one.claimed)) for one in held]
        rulings = rule(held, policy, at.astimezone(), copies)
        gone = [one for one in rulings if not one.keep]
        if yes and state:
            watch.remove(rulings, lambda names: remove_snapshots(vault, names))
        elif yes:
            remove_snapshots(vault, [one.snapshot.id for one in gone])
    lines = [*say_rulings(rulings), *say_copied(rulings), say_going(rulings, done=yes)]
    if left:
        lines.append(
            f"{say_count(left, 'instantané laissé')}, de partages ou de bases : share thin et database forget s'en chargent"
        )
    data = {
        "done": yes,
        "left": left,
        "rulings": ruling_values(rulings),
    }
    return Answer(data, "\n".join(lines))


def _series(one: Snapshot) -> tuple[str, ...]:
    """What a snapshot competes with."""
    return (one.hostname, *one.paths)


def _prune(where: str, key: str, *, yes: bool) -> Answer:
    from releve.adapters.vault.pruning import plan, prune
    from releve.domain.units import say_bytes
    from releve.entrypoints.cli.vault_session import utc_now

    vault = opened(where, key)
    with bar("rangement") as tell:
        decided = prune(vault, now=utc_now, progress=tell) if yes else plan(vault)
    data = {
        "done": yes,
        "delete": list(decided.delete),
        "repack": list(decided.repack),
        "unindexed": list(decided.unindexed),
        "freed_bytes": decided.freed,
        "moved_bytes": decided.moved,
    }
    verb = "fait" if yes else "à faire (rien n'est fait sans --yes)"
    text = (
        f"{verb} : {say_count(len(decided.delete), 'paquet')} à retirer, {len(decided.repack)} à regrouper, "
        f"{say_count(len(decided.unindexed), 'reste')} ; {say_bytes(decided.freed)} rendus, {say_bytes(decided.moved)} déplacés"
    )
    return Answer(data, "rien à ranger" if decided.nothing else text)


def _heal(where: str, key: str, second: str, *, drop: bool) -> Answer:
    from releve.adapters.vault.healing import heal
    from releve.entrypoints.cli.vault_session import utc_now

    vault = opened(where, key)
    with bar("réparation") as tell:
        copy = store_at(second) if second else None
        done = heal(vault, copy, drop_unreadable=drop, now=utc_now, progress=tell)
    after = vault_work.said(done.after)
    lines = [f"repris de la seconde copie : {name}" for name in done.replaced]
    lines += [f"relu dans son propre paquet : {name[:16]}" for name in done.indexed]
    lines += [f"reste abîmé : {name}" for name in done.left]
    if done.unlisted:
        what = say_count(
            done.unlisted, "bloc que rien ne peut rendre n'est", "blocs que rien ne peut rendre ne sont"
        )
        lines.append(f"{what} plus sur la liste : la prochaine sauvegarde qui les a les renverra")
    lines += [f"instantané illisible, retiré : {name}" for name in done.dropped]
    if done.unreadable:
        lines += [f"instantané qui reste illisible : {name}" for name in done.unreadable]
        lines.append(
            "  --drop-unreadable-snapshots les retire ; ce qu'eux seuls gardaient sera perdu : essayez d'abord --from"
        )
    data = {
        "replaced": done.replaced,
        "indexed": done.indexed,
        "left": done.left,
        "unlisted_blobs": done.unlisted,
        "unreadable_snapshots": done.unreadable,
        "dropped_snapshots": done.dropped,
        "after": after.data,
    }
    return Answer(data, "\n".join([*lines, str(after.text)]), after.exit_code)
