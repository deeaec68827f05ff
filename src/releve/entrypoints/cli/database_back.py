"""`releve database times|restore|verify|forget`: what can be brought back, bringing it back, and what may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.instants import read_instant
from releve.domain.units import say_count
from releve.entrypoints.cli.rulings import (
    Beside,
    CopiesToo,
    policy_of,
    ruling_values,
    say_copied,
    say_going,
    say_rulings,
)
from releve.entrypoints.cli.speech import Answer, Json, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import DEFAULT_KEY, bar, made, opened

if TYPE_CHECKING:
    from releve.adapters.engines.postgresql.archive.restore import Known, Means, Reached
    from releve.adapters.engines.postgresql.archive.windows import Goal, Window
    from releve.adapters.vault.repository import Repository
    from releve.domain.errors import Exit

Name = Annotated[str, typer.Option("--database", "-d", help="Le nom de ces données dans le coffre.")]
Timeline = Annotated[int, typer.Option("--timeline", min=0, help="Une ligne de temps ; 0 : la plus récente.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="Faire comme si cet instantané n'était pas là ; se répète."),
]
BinDir = Annotated[
    str,
    typer.Option(
        "--bin-dir",
        envvar="RELEVE_PG_BIN",
        help="Le dossier des programmes de PostgreSQL, de la version de la base ; vide : ceux du PATH.",
    ),
]
OsUser = Annotated[
    str,
    typer.Option("--os-user", help="Sous root, le compte qui lance le serveur ; vide : postgres, ou nobody."),
]
Admin = Annotated[str, typer.Option("--admin", help="Un superutilisateur de la base.")]
_MANY = 5  # lines of one kind
ReadAll = Annotated[
    bool, typer.Option("--read-all", help="Relire aussi chaque ligne, et chaque somme de contrôle.")
]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `database`."""

    @group.command()
    def times(
        where: Where,
        database: Name,
        timeline: Timeline = 0,
        without: Without = None,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Dire à quels instants on peut revenir, base par base, et où il manque un journal."""
        answer(as_json, lambda: _times(where, key, database, timeline, without or ()))

    @group.command()
    def restore(
        where: Where,
        database: Name,
        target: Annotated[
            str, typer.Option("--target", "-t", help="Un dossier vide ; la base sera dans son dossier data.")
        ],
        at: Annotated[
            str,
            typer.Option("--at", help="L'instant (2026-03-09T14:30:00, ou avec +01:00), ou latest."),
        ] = "latest",
        position: Annotated[
            str, typer.Option("--lsn", help="Ou une position des journaux (0/3000148).")
        ] = "",
        timeline: Timeline = 0,
        without: Without = None,
        bin_dir: BinDir = "",
        os_user: OsUser = "",
        admin: Admin = "postgres",
        read_all: ReadAll = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Ramener la base telle qu'à un instant, l'ouvrir à l'écart pour le prouver, et la laisser arrêtée."""
        answer(
            as_json,
            lambda: _restore(
                where,
                key,
                database,
                target,
                goal_of(at, position),
                timeline,
                without or (),
                _means(bin_dir, os_user, admin, read_all=read_all),
            ),
        )

    @group.command()
    def verify(
        where: Where,
        database: Name,
        workroom: Annotated[
            str,
            typer.Option(
                "--workroom",
                envvar="TMPDIR",
                help="Où ramener la base le temps de l'essai ; il y faut sa place entière.",
            ),
        ] = "/var/tmp",  # noqa: S108 - a folder of our own is made in it
        state: Annotated[
            str,
            typer.Option(
                "--state",
                help="Le dossier d'état de l'archivage : l'essai y est noté, et database status le dit.",
            ),
        ] = "",
        bin_dir: BinDir = "",
        os_user: OsUser = "",
        admin: Admin = "postgres",
        read_all: ReadAll = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Prouver que le coffre rend la base : la ramener au plus récent, l'ouvrir à l'écart, tout effacer."""
        answer(
            as_json,
            lambda: _verify(
                where, key, database, workroom, state, _means(bin_dir, os_user, admin, read_all=read_all)
            ),
        )

    @group.command()
    def forget(
        where: Where,
        database: Name,
        state: Annotated[str, typer.Option("--state", help="Un dossier à nous, sur le secours ; gardez-le.")],
        last: Annotated[int, typer.Option("--keep-last", min=0, help="Garder les N dernières bases.")] = 0,
        daily: Annotated[int, typer.Option("--keep-daily", min=0, help="Une par jour, N jours.")] = 0,
        weekly: Annotated[int, typer.Option("--keep-weekly", min=0, help="Une par semaine, N semaines.")] = 0,
        monthly: Annotated[int, typer.Option("--keep-monthly", min=0, help="Une par mois, N mois.")] = 0,
        minimum: Annotated[
            str, typer.Option("--minimum-age", help="Ne jamais retirer plus jeune que cela.")
        ] = "24 h",
        yes: Annotated[
            bool, typer.Option("--yes", help="Le faire ; sans cette option, rien n'est touché.")
        ] = False,
        copies_too: CopiesToo = False,
        beside: Beside = None,
        drop_timeline: Annotated[
            int,
            typer.Option(
                "--drop-timeline",
                min=0,
                metavar="N",
                show_default=False,
                help="Retirer aussi tout ce qui est de cette ligne de temps, abandonnée.",
            ),
        ] = 0,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Éclaircir les journaux, et retirer de vieilles bases (--keep-…), avec la raison. Au secours seulement."""
        counts = {"last": last, "daily": daily, "weekly": weekly, "monthly": monthly}
        answer(
            as_json,
            lambda: _forget(
                where,
                key,
                database,
                state,
                counts,
                minimum,
                drop_timeline,
                beside or (),
                yes=yes,
                copies_too=copies_too,
            ),
        )


def goal_of(at: str, position: str) -> Goal:
    """What is asked. A time without zone is of this machine's. Raises `BadInput`."""
    from releve.adapters.engines.postgresql.archive.windows import LATEST
    from releve.adapters.engines.postgresql.parse import lsn
    from releve.domain.errors import BadInput

    sentence = f"« {position or at} » n'est ni un instant ni une position"
    try:
        if position:
            return lsn(position)
        if at == LATEST:
            return LATEST
        sentence = ""  # an hour that does not exist, or that happened twice, has its own
        return read_instant(at, None).astimezone()
    except (ValueError, OverflowError) as error:
        raise BadInput(
            "usage",
            sentence or str(error),
            hint="--at 2026-03-09T14:30:00 (heure de cette machine), --at latest, ou --lsn 0/3000148",
        ) from error


def _means(bin_dir: str, os_user: str, admin: str, *, read_all: bool) -> Means:
    from releve.adapters.engines.postgresql.archive.restore import Means

    return Means(bin_dir, os_user, admin, read_all)


def _times(where: str, key: str, database: str, timeline: int, without: Sequence[str]) -> Answer:
    from releve.adapters.engines.postgresql.archive.restore import known
    from releve.adapters.engines.postgresql.parse import say_lsn
    from releve.domain.errors import Exit

    there = known(opened(where, key), database, timeline, without)
    lines = []
    for one in there.windows:
        lines.append(f"{one.base.mark.label}  du {_shown(one.since)} au {_shown(one.until)}")
        if one.gap:
            lines.append(
                f"  il manque le journal {one.gap} : rien de ce qui suit ne peut être rejoint à partir de cette base"
            )
    lines.append(
        f"ligne de temps {there.timeline}"
        if there.windows
        else "aucune base sur cette ligne de temps : releve database base en prend une"
    )
    doubts, doubted = _doubts(there)
    data = {
        "windows": [
            {**_window(one), "position": say_lsn(one.end), "missing": one.gap or None}
            for one in there.windows
        ],
        **doubted,
    }
    well = bool(there.windows) and not there.windows[-1].gap and not there.doubled and not there.unreadable
    return Answer(data, "\n".join([*lines, *doubts]), Exit.DONE if well else Exit.PROMISE_NOT_KEPT)


def _doubts(there: Known) -> tuple[list[str], dict[str, object]]:
    """What a person must know before believing what was chosen: other ways, contradictions, what cannot be read."""
    lines = [
        f"aussi dans le coffre : la ligne de temps {one}, jusqu'au {_shown(until)} (--timeline {one})"
        for one, until in sorted(there.others.items())
    ]
    lines += [
        f"ALERTE : le journal {one.name} est deux fois dans le coffre, et différent ; celui de l'instantané "
        f"{one.believed[:8]}, arrivé le premier, est pris (l'autre : --without {one.believed[:8]})"
        for one in there.doubled[:_MANY]
    ]
    if len(there.doubled) > _MANY:
        lines.append(f"ALERTE : et {len(there.doubled) - _MANY} autres journaux dans le même cas")
    lines += [
        f"ALERTE : l'instantané {one[:8]} ne se lit pas en entier (releve vault verify) : ce qui manque est laissé de côté"
        for one in there.unreadable[:_MANY]
    ]
    return lines, {
        "timeline": there.timeline,
        "others": {str(one): until.isoformat() for one, until in there.others.items()},
        "doubled": [
            {"file": one.name, "believed": one.believed, "other": one.other} for one in there.doubled
        ],
        "unreadable": list(there.unreadable),
    }


def _window(one: Window) -> Mapping[str, object]:
    return {
        "base": one.base.mark.label,
        "snapshot": one.base.snapshot.id,
        "timeline": one.timeline,
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
    }


def _restore(
    where: str,
    key: str,
    database: str,
    target: str,
    goal: Goal,
    timeline: int,
    without: Sequence[str],
    means: Means,
) -> Answer:
    from releve.adapters.engines.postgresql.archive.restore import restore

    place = Path(target).absolute()
    with bar("retour") as tell:
        reached = restore(
            opened(where, key),
            database,
            goal,
            place,
            means,
            timeline=timeline,
            without=without,
            progress=tell,
        )
    said = _reached(reached, goal)
    lines = [
        *said[1],
        f"la base est arrêtée dans {place / 'data'} ; avant de l'ouvrir, relisez ses réglages (archivage, réplication)",
    ]
    return Answer({**said[0], "data": str(place / "data")}, "\n".join(lines), said[2])


def _verify(where: str, key: str, database: str, workroom: str, state: str, means: Means) -> Answer:
    from releve.entrypoints.worker.trial import try_history

    with bar("essai") as tell:
        at, reached = try_history(
            opened(where, key),
            database,
            Path(workroom),
            means,
            Path(made(state)) if state else None,
            progress=tell,
        )
    data, lines, code = _reached(reached, "latest")
    head = f"essai du {_shown(at)} : la base revient du coffre"
    return Answer(
        {"verified_at": at.isoformat(), "database": database, **data}, "\n".join([head, *lines]), code
    )


def _reached(reached: Reached, goal: Goal) -> tuple[dict[str, object], list[str], Exit]:
    from releve.adapters.engines.postgresql.parse import say_lsn
    from releve.domain.errors import Exit
    from releve.domain.units import say_bytes, say_seconds

    seen = reached.seen
    asked = (
        goal.isoformat() if isinstance(goal, datetime) else say_lsn(goal) if isinstance(goal, int) else goal
    )
    short = goal == "latest" and not reached.complete
    data: dict[str, object] = {
        "asked": asked,
        **_window(reached.window),
        "last_commit": seen.last_commit.isoformat() if seen.last_commit else None,
        "next_commit": seen.next_commit.isoformat() if seen.next_commit else None,
        "proved_until": reached.proved.isoformat(),
        "position": say_lsn(seen.replayed),
        "new_timeline": seen.timeline,
        "databases": list(seen.databases),
        "checks": list(reached.checks),
        "seconds": dict(reached.took),
        "wal_bytes": reached.wal_bytes,
    }
    last = _shown(seen.last_commit) if seen.last_commit else "aucune depuis la base"
    lines = [
        f"demandé : {asked} ; dernière transaction rejouée : {last}",
        f"  tout ce qui était acquis le {_shown(reached.proved)} y est",
        f"  {say_count(len(seen.databases), 'base')}, position {say_lsn(seen.replayed)}",
        f"  {say_bytes(reached.wal_bytes)} de journaux rejoués, {say_seconds(sum(reached.took.values()))} en tout",
        f"  vérifié : {', '.join(reached.checks)}",
    ]
    if seen.next_commit:
        lines.insert(2, f"  la transaction suivante ({_shown(seen.next_commit)}) n'y est pas")
    if short:
        lines.append(
            f"  le coffre disait avoir tout jusqu'au {_shown(reached.window.until)} : la reprise ne le prouve pas"
        )
    doubts, doubted = _doubts(reached.known)
    lines += [f"  {line}" for line in doubts]
    return data | doubted, lines, Exit.PROMISE_NOT_KEPT if short else Exit.DONE


def _forget(
    where: str,
    key: str,
    database: str,
    state: str,
    counts: Mapping[str, int],
    minimum: str,
    dropped: int,
    beside: Sequence[str],
    *,
    yes: bool,
    copies_too: bool,
) -> Answer:
    from releve.domain.errors import Exit
    from releve.domain.units import say_bytes
    from releve.entrypoints.worker.expiry import expire_database
    from releve.entrypoints.worker.register import read_roll, told

    policy = policy_of(counts, minimum)
    vault = opened(where, key)
    _must_be_known(vault, database, Path(state))
    folder = made(state)
    with bar("ménage") as tell:
        rulings, merged = expire_database(
            vault,
            database,
            folder,
            policy,
            yes=yes,
            copies_too=copies_too,
            dropped=dropped,
            beside=[Path(one) for one in beside],
            progress=tell,
        )
    lines = [*say_rulings(rulings), *say_copied(rulings), say_going(rulings, done=yes)]
    if yes:
        lines.append(f"{say_bytes(merged.freed)} rendus, {say_count(merged.waiting, 'paquet')} en attente")
    roll = read_roll(folder)
    missing = [told(one) for one in roll.troubles.values()] if roll else []
    lines += [f"ALERTE : {line}" for line in missing]
    data = {
        "done": yes,
        "rulings": ruling_values(rulings),
        "freed_bytes": merged.freed,
        "missing": missing,
    }
    return Answer(data, "\n".join(lines), Exit.PROMISE_NOT_KEPT if missing else Exit.DONE)


def _must_be_known(vault: Repository, database: str, state: Path) -> None:
    """Raises `BadInput` for a database of which neither the state folder nor the vault ever heard."""
    from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, unknown_database
    from releve.entrypoints.worker.database import STATE, read_archive
    from releve.entrypoints.worker.register import database_scope, read_roll

    if (state / STATE).exists() and read_archive(state)["database"] == database:
        return
    roll = read_roll(state)
    mine = roll is not None and roll.scope == database_scope(database)
    if not mine and not Catalogue(vault, database).look():
        raise unknown_database(vault, database)


def _shown(at: datetime) -> str:
    return f"{at.astimezone():%d/%m/%Y %H:%M:%S}.{at.microsecond // 1000:03d}"
