"""`releve evidence`: read the log of evidence and check that nobody touched it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.errors import BadInput, Exit
from releve.domain.evidence import Entry, Flaw, Head, passes_through, verify
from releve.domain.units import say_count
from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

if TYPE_CHECKING:
    from releve.adapters.ledger.store import DjangoLedger

StateDir = Annotated[
    str,
    typer.Option(
        "--state",
        envvar="RELEVE_STATE",
        help="Le dossier d'état ; par défaut celui du site de secours du plan.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group to the root."""
    group = typer.Typer(help="Lire et vérifier le registre des preuves.", no_args_is_help=True)
    app.add_typer(group, name="evidence")

    @group.command("verify")
    def verify_command(
        state: StateDir = "",
        head: Annotated[
            str, typer.Option("--head", help="Une tête imprimée auparavant, N:EMPREINTE, à retrouver.")
        ] = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Chercher toute preuve modifiée, enlevée ou déplacée."""

        def body() -> Answer:
            printed = parse_head(head) if head else None
            with _ledger(state, plan) as ledger:
                entries, kept = ledger.evidence.snapshot()
            return _verdict(entries, kept, printed)

        answer(as_json, body)

    @group.command("list")
    def list_command(
        state: StateDir = "",
        last: Annotated[int, typer.Option("--last", min=1, help="Combien, en partant de la fin.")] = 50,
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Montrer les preuves, la plus ancienne d'abord."""

        def body() -> Answer:
            with _ledger(state, plan) as ledger:
                entries = ledger.evidence.entries()
            shown = entries[-last:]
            lines = [f"{item.seq:>6}  {item.at:%Y-%m-%d %H:%M:%S}  {item.kind}" for item in shown]
            return Answer(
                {"entries": [_entry_json(item) for item in shown], "count": len(entries)},
                "\n".join(lines) or "aucune preuve au registre",
            )

        answer(as_json, body)


def parse_head(text: str) -> Head:
    """Read "N:HASH" as it was printed. Raises `BadInput`."""
    count, _, digest = text.strip().partition(":")
    digest = digest.lower()
    if (
        not (count.isascii() and count.isdigit())
        or len(digest) != 64
        or set(digest) - set("0123456789abcdef")
    ):
        raise BadInput(
            "head-format",
            "la tête donnée n'est pas comprise",
            hint="recopiez-la telle qu'elle a été imprimée : un nombre, deux-points, 64 chiffres et lettres",
        )
    return int(count), digest


def _verdict(entries: Sequence[Entry], kept: Head | None, printed: Head | None) -> Answer:
    flaws = verify(entries, head=kept)
    if printed is not None and not passes_through(entries, printed):
        flaws.append(Flaw(printed[0], "rewritten", f"la chaîne n'est jamais passée par la tête {printed[0]}"))
    if kept is None and entries:
        flaws.append(Flaw(0, "no-witness", "le témoin a disparu : une fin coupée ne pourrait pas se voir"))
    end = f"{entries[-1].seq}:{entries[-1].hash}" if entries else "0:" + "0" * 64
    data = {
        "sound": not flaws,
        "count": len(entries),
        "head": end,
        "flaws": [{"seq": item.seq, "code": item.code, "message": item.sentence} for item in flaws],
    }
    if flaws:
        lines = [f"{item.sentence} [{item.code}]" for item in flaws]
        text = "\n".join(
            [*lines, f"{say_count(len(flaws), 'défaut')} : ce registre ne fait plus preuve à lui seul"]
        )
        return Answer(data, text, Exit.PROMISE_NOT_KEPT)
    against = "" if printed is None else ", et elle passe par la tête donnée"
    return Answer(
        data,
        f"{say_count(len(entries), 'preuve')}, chaîne intacte{against}\n"
        f"tête : {end}\n"
        "gardez cette tête hors de la machine : qui écrit tout le disque pourrait refaire toute la chaîne",
    )


def _entry_json(entry: Entry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "body": dict(entry.body),
        "hash": entry.hash,
    }


@contextmanager
def _ledger(state: str, plan: str) -> Iterator[DjangoLedger]:
    """The ledger of that folder, closed at the end. Never makes one where there is none."""
    from releve.adapters.ledger import open_ledger
    from releve.entrypoints.cli.session import kept

    url = os.environ.get("DATABASE_URL", "")
    folder = Path(state) if state else _state_of(plan)
    if not kept(folder):
        raise BadInput(
            "no-ledger",
            f"aucun registre dans « {folder} »",
            hint="donnez le dossier d'état du site de secours (--state, ou RELEVE_STATE)",
        )
    ledger = open_ledger(folder, url)
    try:
        yield ledger
    finally:
        ledger.close()


def _state_of(plan: str) -> Path:
    from releve.entrypoints.cli.session import relief_house

    return relief_house(plan).state
