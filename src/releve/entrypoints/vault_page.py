"""The page that opens a vault without us: the key, and what to type on any computer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from releve.domain.document import (
    Block,
    Callout,
    Column,
    Document,
    Paragraph,
    Section,
    Table,
    Tone,
    Typed,
)

Step = tuple[str, tuple[str, ...]]  # what it is for, and what is typed

_PROGRAM: Step = (
    (
        "Sur un ordinateur sain, en administrateur (root), installez le programme libre « restic », 0.14 ou plus récent. "
        "Debian 12 ou plus récent, Ubuntu 24.04 ou plus récent : la ligne ci-dessous. Plus anciens (Debian 11 et Ubuntu "
        "22.04 ont un restic qui ne lit pas ce coffre), Windows, macOS : le fichier à télécharger est sur "
        "github.com/restic/restic/releases."
    ),
    ("apt install restic && restic version",),
)
_OPEN = ('export RESTIC_REPOSITORY="COFFRE"', 'export RESTIC_PASSWORD="CLE"')
_WINDOWS = 'Windows (PowerShell) : $env:RESTIC_REPOSITORY="COFFRE", puis $env:RESTIC_PASSWORD="CLE".'
_FILES: tuple[Step, ...] = (
    (
        (
            "Voyez la dernière sauvegarde de chaque machine et de chaque dossier : une ligne chacune. Si le coffre ne peut "
            "pas être écrit, ajoutez --no-lock à chaque commande restic."
        ),
        ("restic snapshots --latest 1",),
    ),
    (
        (
            "Pour CHAQUE ligne de cette liste dont les étiquettes (Tags) ne disent ni « base= » ni « wal= », mettez son "
            "identifiant (ID) deux fois dans la commande. Une ligne oubliée est un dossier oublié."
        ),
        ("restic restore IDENTIFIANT --target /srv/retour/IDENTIFIANT",),
    ),
    (
        (
            "Pour une date plus ancienne d'un dossier, la liste entière en donne les identifiants. Pour une partie "
            "seulement, ajoutez --include /chemin/du/dossier à la commande du point précédent."
        ),
        ("restic snapshots --path /chemin/du/dossier",),
    ),
)
_DATABASE: tuple[Step, ...] = (
    (
        (
            "Sous Linux, avec le PostgreSQL que dit « version= » (150004 : le 15). Voyez les bases gardées. Faites tout ce "
            "qui suit pour CHAQUE nom différent après « database= », mis à la place de dossiers."
        ),
        ("restic snapshots --path /data", "NOM=dossiers"),
    ),
    (
        (
            "Ramenez sa base la plus récente ou, pour revenir à un instant, la dernière dont « ready= » (heure "
            "universelle) est avant lui. Puis tous ses journaux."
        ),
        (
            "restic restore IDENTIFIANT --target /srv/retour-$NOM",
            "for J in $(restic snapshots --tag database=$NOM --json |",
            "    grep -o 'wal=[0-9A-F]*' | sort -u); do",
            "  restic restore latest --tag database=$NOM,$J --target /srv/retour-$NOM",
            "done",
        ),
    ),
    (
        "Mettez les journaux dans un seul dossier, sans la fin « .partial » de leur nom.",
        (
            "cd /srv/retour-$NOM && mkdir journaux",
            "find wal -type f | while read F; do",
            '  cp "$F" "journaux/$(basename "$F" .partial)"',
            "done",
        ),
    ),
    (
        (
            "Dites au serveur de les rejouer, à l'écart de tous. Pour un instant, ajoutez avant FIN la ligne : "
            "recovery_target_time = '2026-03-09 14:30:00+01'"
        ),
        (
            "cat >> data/postgresql.auto.conf <<FIN",
            'restore_command = \'cp "/srv/retour-$NOM/journaux/%f" "%p"\'',
            "recovery_target_action = 'promote'",
            "hot_standby = off",
            "archive_mode = off",
            "listen_addresses = ''",
            "port = 5432",
            "unix_socket_directories = '/srv/retour-$NOM'",
            "hba_file = '/srv/retour-$NOM/acces'",
            "FIN",
            "echo 'local all all trust' > acces",
            "touch data/postgresql.conf data/recovery.signal",
            "rm -f data/standby.signal",
        ),
    ),
    (
        (
            "Donnez tout au compte postgres, journaux compris (ceux qu'il ne peut pas lire manqueraient sans un mot), et "
            "démarrez. La dernière commande attend que tout soit rejoué (« FATAL » d'ici là est normal), puis montre les bases. /srv/retour-NOM/log dit jusqu'où on est allé."
        ),
        (
            "chown -R postgres: /srv/retour-$NOM",
            "chmod 700 /srv/retour-$NOM data",
            "runuser -u postgres -- /usr/lib/postgresql/VERSION/bin/pg_ctl start -w \\",
            "  -t 86400 -D /srv/retour-$NOM/data -l /srv/retour-$NOM/log",
            "until psql -h /srv/retour-$NOM -p 5432 -U postgres -l",
            "do sleep 5; done",
        ),
    ),
)
_LOST = (
    "Si cette feuille est perdue ou a été vue, retirez sa clé : releve vault key remove {name} (releve vault key list montre "
    "celles qui restent), et tirez-en une autre."
)
_BEFORE_USERS = (
    "Avant de l'ouvrir aux utilisateurs : retirez les lignes ajoutées à postgresql.auto.conf et relisez les réglages, qui "
    "sont ceux de l'original. Sur Debian ceux de /etc/postgresql n'y sont pas."
)


def key_page(*, where: str, vault: str, key: str, name: str, at: datetime) -> Document:
    """The page with the whole key: whoever reads it can read everything. `name`: the id of its file."""
    return _page(
        at,
        where,
        vault,
        name,
        "Clé de secours du coffre",
        (
            Callout(Tone.BROKEN, "À garder sous clé", "Cette feuille seule suffit pour tout lire."),
            Table("La clé, à taper telle quelle", (Column("Clé"),), ((key,),)),
        ),
    )


def words_page(
    *,
    where: str,
    vault: str,
    words: str,
    number: int,
    people: int,
    threshold: int,
    name: str,
    at: datetime,
) -> Document:
    """The page of one person among several: useless alone. `name`: the id of the file of the key that they share."""
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
        name,
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
    at: datetime,
    where: str,
    vault: str,
    name: str,
    title: str,
    top: tuple[Callout | Table | Paragraph, ...],
) -> Document:
    address: Step = (f"{_address(where)} {_WINDOWS}", _OPEN)
    return Document(
        title=title,
        subtitle="Pour le jour où plus rien d'autre ne marche",
        association="",
        created_at=at,
        metadata=(
            ("Coffre", where),
            ("Identifiant", vault[:16]),
            ("Clé n°", name[:8]),
            ("Imprimée le", f"{at.astimezone():%d/%m/%Y à %H:%M}"),
        ),
        sections=(
            Section("À garder", (*top, Paragraph(_LOST.format(name=name[:8])))),
            Section("Tout ramener sans Relève", tuple(_numbered((_PROGRAM, address, *_FILES)))),
            Section(
                "Chaque base PostgreSQL (si la liste montre « database= »)",
                (*_numbered(_DATABASE), Paragraph(_BEFORE_USERS)),
            ),
        ),
    )


def _numbered(steps: Sequence[Step]) -> Iterator[Block]:
    for number, (text, lines) in enumerate(steps, 1):
        yield Paragraph(f"{number}. {text}")
        yield Typed(lines)


def _address(where: str) -> str:
    """How restic reaches a vault that we reach at `where`."""
    said = f"Mettez la clé à la place de CLE et, à la place de COFFRE, son adresse : {where}"
    if where.startswith("s3:"):
        return (
            f"{said} — et, avant, les deux codes d'accès du compte S3, qui ne sont pas sur cette feuille : export "
            "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"
        )
    if where.startswith("rest:"):
        return (
            f"{said} — avec, après « // », le compte et le mot de passe de ce serveur, qui ne sont pas sur cette feuille : "
            "rest:https://compte:secret@serveur/…"
        )
    return (
        "Branchez ou montez le disque du coffre. Mettez la clé à la place de CLE et, à la place de COFFRE, le dossier où il "
        f"est sur cet ordinateur (il était dans {where} ; c'est celui qui contient « config », « data » et « keys »)."
    )
