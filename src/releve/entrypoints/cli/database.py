"""`releve database`: PostgreSQL kept in a vault as it is written, and brought back as it was at an instant."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.units import say_count
from releve.entrypoints.cli import database_back
from releve.entrypoints.cli.database_back import Name
from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import DEFAULT_KEY, bar, made, opened, tagged

if TYPE_CHECKING:
    from releve.adapters.engines.postgresql.archive.source import Server

HISTORY = {"daily": 14, "weekly": 8, "monthly": 12}  # bases of a plan's database that are kept (proposed)
State = Annotated[
    str, typer.Option("--state", help="Un dossier à nous, sur un disque local, pour ces données ; gardez-le.")
]
HostName = Annotated[str, typer.Option("--host", help="L'adresse du serveur.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Son port.")]
User = Annotated[str, typer.Option("--user", help="Un compte qui a le droit REPLICATION.")]
PasswordAt = Annotated[
    str,
    typer.Option(
        "--password-at",
        help="Où est son mot de passe : env:NOM, file:/chemin ou command:programme ; vide : PGPASSWORD, ou ~/.pgpass.",
    ),
]
BinDir = Annotated[
    str,
    typer.Option(
        "--bin-dir",
        envvar="RELEVE_PG_BIN",
        help="Le dossier des programmes de PostgreSQL ; vide : ceux du PATH.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group `database` to the root."""
    group = typer.Typer(
        help="PostgreSQL dans le coffre : bases et journaux, retour à un instant.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(group, name="database")
    database_back.register(group)

    @group.command()
    def archive(
        where: Where,
        database: Name,
        state: State,
        host: HostName = "localhost",
        port: Port = 5432,
        user: User = "postgres",
        password_at: PasswordAt = "",
        bin_dir: BinDir = "",
        every: Annotated[
            float, typer.Option("--every", min=0.2, help="Secondes entre deux instantanés de ce qui s'écrit.")
        ] = 2.0,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Garder sans fin les journaux d'un serveur ; archive.json, dans l'état, dit jusqu'où."""
        answer(
            as_json,
            lambda: _archive(
                where, key, database, state, _server(host, port, user, password_at, bin_dir), every
            ),
        )

    @group.command()
    def base(
        where: Where,
        database: Name,
        state: State,
        host: HostName = "localhost",
        port: Port = 5432,
        user: User = "postgres",
        password_at: PasswordAt = "",
        bin_dir: BinDir = "",
        spread: Annotated[
            bool, typer.Option("--spread", help="Laisser le serveur étaler son point de contrôle.")
        ] = False,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Prendre une base : le point de départ d'un retour. Demande la place de la base dans l'état."""
        answer(
            as_json,
            lambda: _base(
                where,
                key,
                database,
                state,
                _server(host, port, user, password_at, bin_dir),
                fast=not spread,
            ),
        )

    @group.command()
    def keep(
        database: Annotated[
            str, typer.Argument(metavar="DONNÉES", help="Le jeu de données, tel qu'il est dans le plan.")
        ],
        site: Annotated[str, typer.Option("--site", help="Le site de cette machine (identifiant du plan).")],
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Garder l'histoire d'une base du plan : le worker du secours lance cette commande lui-même."""
        answer(as_json, lambda: _keep(plan, site, database))

    @group.command()
    def status(
        state: Annotated[str, typer.Argument(metavar="ÉTAT", help="Le dossier donné à --state.")],
        as_json: Json = False,
    ) -> None:
        """Dire jusqu'à quel instant la base est à l'abri dans le coffre, et ce qui ne va pas."""
        answer(as_json, lambda: _status(state))

    @group.command()
    def release(
        database: Name,
        host: HostName = "localhost",
        port: Port = 5432,
        user: User = "postgres",
        password_at: PasswordAt = "",
        as_json: Json = False,
    ) -> None:
        """Cesser d'archiver pour de bon : le serveur ne retient plus ses journaux pour nous."""
        answer(as_json, lambda: _release(database, _server(host, port, user, password_at, "")))


def _server(host: str, port: int, user: str, password_at: str, bin_dir: str) -> Server:
    from releve.adapters.engines.postgresql.archive.source import Server
    from releve.entrypoints.cli.vault_session import password

    return Server(host, port, user, password(password_at) if password_at else "", bin_dir)


def _archive(where: str, key: str, database: str, state: str, server: Server, every: float) -> Answer:
    from releve.domain.errors import Exit
    from releve.entrypoints.worker.database import DatabasePost, archive_database

    post = DatabasePost(tagged(database), server, made(state), every)
    code = archive_database(opened(where, key), post)
    return Answer({"database": database, "stopped": True}, "", Exit(code))


def _keep(plan_file: str, site: str, database: str) -> Answer:
    import os
    import sys

    from releve.adapters.hosts.secrets import resolve
    from releve.domain.errors import BadInput, Exit
    from releve.domain.names import nearest
    from releve.domain.plan import ServerEnd
    from releve.entrypoints.cli.rulings import lists_beside
    from releve.entrypoints.cli.session import plan_of
    from releve.entrypoints.worker.database import DatabasePost
    from releve.entrypoints.worker.history import HistoryPost, folder_of, keep_history
    from releve.entrypoints.worker.resident import end_with_parent

    plan = plan_of(plan_file)
    found = next((one for one in plan.data_sets if one.id == database), None)
    end = found.ends.get(site) if found is not None else None
    place = found.vault.get(site) if found is not None else None
    worker = plan.site(site).worker if end is not None else None
    if found is None or not isinstance(end, ServerEnd) or place is None or worker is None:
        kept = [
            one.id
            for one in plan.data_sets
            if site in one.vault and isinstance(one.ends.get(site), ServerEnd)
        ]
        raise BadInput(
            "unknown-database",
            f"le plan ne garde l'histoire d'aucune base « {database} » sur le site « {site} »",
            hint=nearest(
                database, kept, "ajoutez « vault: … » à ce jeu de données, avec une adresse pour ce site"
            ),
        )
    secret = str(end.replication_password) if end.replication_password else ""
    state = str(made(str(folder_of(worker.state, database))))
    server = _server(end.address, end.port, end.replication_user, secret, end.bin_dir)
    command = [sys.executable, "-P", "-m", "releve", "database"]
    common = [place.address, "--database", database, "--state", state, "-k", str(place.key)]
    reach = [
        "--host",
        end.address,
        "--port",
        str(end.port),
        "--user",
        end.replication_user,
        "--bin-dir",
        end.bin_dir,
    ]
    password_at = ["--password-at", secret] if secret else []
    account = ["--os-user", end.os_user] if os.geteuid() == 0 else []
    kept = [word for name, count in HISTORY.items() for word in (f"--keep-{name}", str(count))]
    post = HistoryPost(
        DatabasePost(tagged(database), server, Path(state)),
        lambda: opened(place.address, str(place.key)),
        [*command, "base", *common, *reach, *password_at, "--spread"],
        [*command, "forget", *common, *kept, "--yes", *lists_beside(plan, site, place.address, state)],
        [*command, "verify", *common, "--bin-dir", end.bin_dir, "--admin", end.admin_user, *account],
        found.protection.daily_at,
        plan.timezone,
    )
    resolve(place.key)  # a key that cannot be read is told now, not at the first base
    end_with_parent()
    return Answer({"database": database, "stopped": True}, "", Exit(keep_history(post)))


def _base(where: str, key: str, database: str, state: str, server: Server, *, fast: bool) -> Answer:
    from releve.adapters.engines.postgresql.archive.base import take_base
    from releve.adapters.engines.postgresql.archive.source import Source
    from releve.adapters.engines.postgresql.parse import say_lsn
    from releve.adapters.hosts.lock import hold
    from releve.domain.units import say_bytes
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.worker.database import note_base

    folder = made(state)
    source = Source(server)
    try:
        vault = opened(where, key)
        with hold(folder / "base.lock", f"la base de « {database} »"), bar("base") as tell:
            began = utc_now()
            taken = take_base(
                vault, source, tagged(database), folder / "base", fast=fast, now=utc_now, progress=tell
            )
            note_base(folder, taken.mark.ready, began)
    finally:
        source.close()
    mark = taken.mark
    data = {
        "snapshot": taken.snapshot,
        "base": mark.label,
        "timeline": mark.timeline,
        "start": say_lsn(mark.start),
        "stop": say_lsn(mark.stop),
        "ready_at": mark.ready.isoformat(),
        "server_version": mark.version,
        "files": taken.files,
        "bytes": taken.size,
        "stored_bytes": taken.stored,
    }
    lines = [
        f"base {mark.label} : {say_count(taken.files, 'fichier')}, {say_bytes(taken.size)}, {say_bytes(taken.stored)} ajoutés au coffre",
        f"  on peut revenir à tout instant à partir du {_shown(mark.ready)}, tant que les journaux suivent",
    ]
    return Answer(data, "\n".join(lines))


def _release(database: str, server: Server) -> Answer:
    from releve.adapters.engines.postgresql.archive.source import Source
    from releve.domain.errors import BadInput
    from releve.domain.names import nearest
    from releve.entrypoints.worker.database import SLOT, slot_of

    slot = slot_of(tagged(database))
    source = Source(server)
    try:
        if not source.drop_slot(slot):
            known = [one.removeprefix(SLOT) for one in source.slots() if one.startswith(SLOT)]
            raise BadInput(
                "unknown-database",
                f"ce serveur ne retient rien sous le nom « {database} »",
                hint=nearest(database, known, "il ne retient rien pour Relève : il n'y a rien à rendre"),
            )
    finally:
        source.close()
    return Answer({"slot": slot, "dropped": True}, "le serveur ne retient plus de journaux pour nous")


def _status(state: str) -> Answer:
    from releve.domain.errors import Exit
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.worker.history_status import history_status

    said = history_status(Path(state), utc_now())
    head = f"archivage de « {said.data['database']} » ({said.data['server']})"
    return Answer(
        said.data,
        "\n".join([head, *(f"  {line}" for line in [*said.lines, *said.troubles])]),
        Exit.PROMISE_NOT_KEPT if said.troubles else Exit.DONE,
    )


def _shown(at: datetime) -> str:
    return f"{at.astimezone():%d/%m/%Y %H:%M:%S}"
