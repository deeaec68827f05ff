"""The page that opens a vault without us: the key, and what to type on any computer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from releve.domain.document import Callout, Column, Document, Items, Paragraph, Section, Table, Tone

_STEPS = (
    (
        "Sur un ordinateur sain, installez le programme libre « restic », version 0.14 ou plus récente "
        "(Debian, Ubuntu : apt install restic ; Windows et macOS : restic.net)."
    ),
    "Branchez ou montez le coffre, et notez son chemin : il remplace COFFRE ci-dessous.",
    "Voyez ce qu'il contient : restic -r COFFRE snapshots — la clé est demandée.",
    "Ramenez tout dans un dossier vide : restic -r COFFRE restore latest --target DOSSIER",
    "Pour une date plus ancienne, mettez à la place de « latest » l'identifiant de la liste.",
    "Pour un seul dossier : ajoutez --include /chemin/du/dossier",
    "Lancez ces commandes en administrateur (root) pour retrouver propriétaires et droits.",
)
_DATABASE = (
    "La liste montre « base=NOM » : ramenez la plus récente d'avant l'instant voulu : restic -r COFFRE restore IDENTIFIANT --target RETOUR",
    "Pour chaque « wal=… » différent de la liste : restic -r COFFRE restore latest --tag wal=… --target RETOUR",
    (
        "Mettez tous les fichiers de RETOUR/wal (sous-dossiers compris) dans un seul dossier JOURNAUX, sans la fin "
        "« .partial » de leur nom."
    ),
    (
        "Dans RETOUR/data, créez le fichier vide recovery.signal, et ajoutez à postgresql.auto.conf : "
        "restore_command = 'cp JOURNAUX/%f %p' ; pour un instant : recovery_target_time = '2026-03-09 14:30:00+01' et "
        "recovery_target_action = 'promote'."
    ),
    "Donnez RETOUR/data au compte postgres (droits 700) et démarrez PostgreSQL, de la version que dit « version= ».",
)


def key_page(*, where: str, vault: str, key: str, at: datetime) -> Document:
    """The page with the whole key: whoever reads it can read everything."""
    return _page(
        at,
        where,
        vault,
        "Clé de secours du coffre",
        (
            Callout(Tone.BROKEN, "À garder sous clé", "Cette feuille seule suffit pour tout lire."),
            Table("La clé, à taper telle quelle", (Column("Clé"),), ((key,),)),
        ),
    )


def words_page(
    *, where: str, vault: str, words: str, number: int, people: int, threshold: int, at: datetime
) -> Document:
    """The page of one person among several: useless alone."""
    listed = words.split()
    half = (len(listed) + 1) // 2
    rows = tuple(
        (
            f"{place + 1}",
            listed[place],
            f"{place + half + 1}" if place + half < len(listed) else "",
            _at(listed, place + half),
        )
        for place in range(half)
    )
    columns = (Column("n°", 0.3), Column("mot"), Column("n°", 0.3), Column("mot"))
    return _page(
        at,
        where,
        vault,
        f"Part {number} sur {people} de la clé de secours",
        (
            Callout(
                Tone.NOTE,
                f"Il faut {threshold} feuilles sur {people}",
                "Seule, cette feuille n'ouvre rien et n'apprend rien. Ne la rangez pas avec une autre.",
            ),
            Table("Vos mots, dans l'ordre", columns, rows),
            Paragraph(
                f"Réunissez {threshold} personnes, puis : releve vault key recover — il demande les mots et rend la clé "
                "à donner à restic. Sans Relève, tout programme SLIP-39 rend 16 octets : la clé est leur écriture "
                "hexadécimale en groupes de quatre, séparés par des tirets."
            ),
        ),
    )


def _at(words: Sequence[str], place: int) -> str:
    return words[place] if place < len(words) else ""


def _page(
    at: datetime, where: str, vault: str, title: str, top: tuple[Callout | Table | Paragraph, ...]
) -> Document:
    return Document(
        title=title,
        subtitle="Pour le jour où plus rien d'autre ne marche",
        association="",
        created_at=at,
        metadata=(("Coffre", where), ("Identifiant", vault[:16])),
        sections=(
            Section("À garder", top),
            Section("Tout ramener sans Relève", (Items(_STEPS, ordered=True),)),
            Section(
                "Une base PostgreSQL (si la liste montre « database= »)", (Items(_DATABASE, ordered=True),)
            ),
        ),
    )
