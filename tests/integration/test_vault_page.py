"""The printed page, followed to the letter with stock restic and PostgreSQL's programs: everything comes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
import pypdfium2
import pytest

from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Hints
from releve.adapters.engines.files.inotify import Inotify
from releve.adapters.vault.saving import save
from releve.domain.document import Document, Typed
from releve.entrypoints.vault_page import key_page, words_page
from tests.archives import NAME, Archive, archive
from tests.features import CURRENT_RESTIC
from tests.integration import pg
from tests.integration.pg import no_templates_left  # noqa: F401
from tests.vaults import keep, now, picture, reopened

pytestmark = pytest.mark.needs("restic")
PROGRAMS = [
    "restic",
    pytest.param(str(CURRENT_RESTIC), marks=pytest.mark.needs("restic-current"), id="current"),
]


@dataclass(frozen=True)
class Everything:
    """A vault with two shares, a folder, a database, and another database's WAL; the folders that must come back."""

    rig: Archive
    folders: Sequence[Path]
    between: datetime


@pytest.fixture(scope="module")
def everything() -> Iterator[Everything]:
    """The newest snapshots are the database's, as they always are while it is archived."""
    with archive() as rig:
        folders = [rig.root / name for name in ("documents", "photos", "compta")]
        for folder in folders:
            (folder / "projets").mkdir(parents=True)
            (folder / "projets" / "suivi.txt").write_text(f"de {folder.name}")
            (folder / "au hasard").write_bytes(os.urandom(5000))
        _share(rig, folders[0])
        _share(rig, folders[1])
        keep(reopened(rig.vault), folders[2])
        archiver = rig.start()
        rig.base()
        between = rig.write("a", "b")
        rig.server.sql("SELECT pg_switch_wal()")
        rig.until_safe(rig.write("c"))
        archiver.send_signal(signal.SIGTERM)
        assert archiver.wait(20) == 0
        rig.server.stop()
        _another_database(rig)
        yield Everything(rig, folders, between)


def _share(rig: Archive, root: Path) -> None:
    """One snapshot of a share, as its capture takes it."""
    vault = reopened(rig.vault)
    watcher = Inotify(os.fsencode(root), 60.0)
    share = Share(root.name, os.fsencode(root), "essai", 0)
    with (
        closing(watcher),
        closing(Cache(rig.root / f"{root.name}.db", "essai")) as cache,
        closing(Capture(vault, share, cache, cover=watcher.cover, now=now, number=0)) as capture,
    ):
        assert capture.take(Hints(everything=True))


def _another_database(rig: Archive) -> None:
    """The newest snapshot of a chapter's name is another server's, whose WAL is not ours."""
    vault = reopened(rig.vault)
    chapters = {tag for one in vault.snapshots() for tag in one.tags if tag.startswith("wal=")}
    strange = rig.root / "autre"
    strange.mkdir()
    for chapter in chapters:
        save(vault, [str(strange)], now=now, tags=["database=autre", chapter])
    shutil.rmtree(strange)


def _page(everything: Everything) -> Document:
    return key_page(where=str(everything.rig.vault), vault="0" * 64, key="essai", name="0" * 64, at=now())


class Reader:
    """A person with the page: types what it says, and fills in what it leaves to be filled in."""

    def __init__(self, everything: Everything, page: Document, restic: str, name: str) -> None:
        self.back = everything.rig.root / name
        self.back.mkdir()
        programs = self.back / "bin"
        programs.mkdir()
        (programs / "restic").symlink_to(shutil.which(restic) or restic)
        self.env = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.back),
        }
        self.typed = [
            [list(block.lines) for block in section.blocks if isinstance(block, Typed)]
            for section in page.sections
        ]
        self.fill = {
            "COFFRE": str(everything.rig.vault),
            "CLE": everything.rig.environment()["RELEVE_VAULT_KEY"],
            "/srv/": f"{self.back}/",
            "/usr/lib/postgresql/VERSION/bin": str(everything.rig.server.bin),
            "chown -R postgres:": f"chown -R {pg.server_account()}:",
            "runuser -u postgres": f"runuser -u {pg.server_account()}",
            "NOM=dossiers": f"NOM={NAME}",
        }

    def do(self, *commands: Sequence[str], **more: str) -> str:
        """Type these in one shell, as they stand but for what is filled in; what they print."""
        return self.typing(*commands, **more).stdout

    def typing(self, *commands: Sequence[str], **more: str) -> subprocess.CompletedProcess[str]:
        """The same, with what the programs complain of."""
        script = "\n".join(line for lines in commands for line in lines)
        for blank, filled in (self.fill | more).items():
            script = script.replace(blank, filled)
        argv = ["sh", "-ec", script]
        ran = subprocess.run(argv, env=self.env, cwd=self.back, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, script + ran.stdout + ran.stderr
        return ran

    def listed(self, opened: Sequence[str], command: Sequence[str]) -> list[Mapping[str, object]]:
        """The list that a command shows, as values."""
        return list(json.loads(self.do(opened, [f"{command[0]} --json"])))


def _tags(one: Mapping[str, object]) -> list[str]:
    return list(one.get("tags") or [])  # type: ignore[call-overload]


@pytest.mark.parametrize("restic", PROGRAMS)
def test_every_folder_and_every_share_comes_back_by_the_page(
    everything: Everything, restic: str, tmp_path: Path
) -> None:
    """Two shares, a folder, a database that was saved after them: the commands of the page bring all three folders."""
    reader = Reader(everything, _page(everything), restic, f"fichiers-{tmp_path.name}")
    _install, opened, look, bring, older = reader.typed[1]
    lines = [
        one
        for one in reader.listed(opened, look)
        if not any(tag.startswith(("base=", "wal=")) for tag in _tags(one))
    ]
    for one in lines:
        reader.do(opened, bring, IDENTIFIANT=str(one["short_id"]))
    came = {folder for one in lines for folder in one["paths"]}  # type: ignore[attr-defined]
    assert came == {str(folder) for folder in everything.folders}
    for one in lines:
        (root,) = one["paths"]  # type: ignore[misc]
        there = reader.back / "retour" / str(one["short_id"]) / str(root).lstrip("/")
        assert picture(there) == picture(Path(root))
    assert "documents" in reader.do(opened, older, **{"/chemin/du/dossier": str(everything.folders[0])})


@pytest.mark.parametrize("until", ["latest", "between"])
def test_a_database_comes_back_by_the_page(everything: Everything, until: str) -> None:
    """Every acknowledged row, or those of before an instant, though another database's WAL bears the same name."""
    reader = Reader(everything, _page(everything), "restic", until)
    opened = reader.typed[1][1]
    (look, name), bring, flat, recovery, start = reader.typed[2]
    base = next(
        one for one in reader.listed(opened, [look]) if any(tag.startswith("base=") for tag in _tags(one))
    )
    if until == "between":
        at = f"recovery_target_time = '{everything.between.isoformat()}'"
        recovery = [word for line in recovery for word in ([at, line] if line == "FIN" else [line])]
    with _open_at_the_end(everything, reader) as place:
        shown = reader.do(opened, [name], bring, flat, recovery, start, IDENTIFIANT=str(base["short_id"]))
        assert "template1" in shown  # in the list of databases, and in no other line
        rows = _rows(place)
    assert rows == [("a",), ("b",), *([("c",)] if until == "latest" else [])]


def test_the_last_commands_of_the_page_wait_until_all_is_replayed(everything: Everything) -> None:
    """A long replay: pg_ctl says that the server runs, psql is refused, and the loop ends when every row is there."""
    reader = Reader(everything, _page(everything), "restic", "attente")
    opened = reader.typed[1][1]
    (look, name), bring, flat, recovery, start = reader.typed[2]
    base = next(
        one for one in reader.listed(opened, [look]) if any(tag.startswith("base=") for tag in _tags(one))
    )
    assert start[-2:] == ["until psql -h /srv/retour-$NOM -p 5432 -U postgres -l", "do sleep 5; done"]
    reader.fill |= {"'cp \"/srv/": "'sleep 0.4; cp \"/srv/", "do sleep 5;": "do sleep 0.1;"}
    reader.fill["/srv/"] = reader.fill.pop("/srv/")  # after the others
    with _open_at_the_end(everything, reader) as place:
        ran = reader.typing(opened, [name], bring, flat, recovery, start, IDENTIFIANT=str(base["short_id"]))
        with psycopg.connect(f"host={place} port=5432 user=postgres") as link:
            assert link.execute("SELECT pg_is_in_recovery()").fetchall() == [(False,)]
        rows = _rows(place)
    assert "server started" in ran.stdout
    assert "FATAL" in ran.stderr
    assert ran.stdout.count("template1") == 1  # the list of databases came once, at the end
    assert rows == [("a",), ("b",), ("c",)]


@contextmanager
def _open_at_the_end(everything: Everything, reader: Reader) -> Iterator[Path]:
    """Where the page brings a database back; the server that it starts is stopped in the end."""
    place = reader.back / f"retour-{NAME}"
    try:
        yield place
    finally:
        program = str(everything.rig.server.bin / "pg_ctl")
        pg.run([program, "stop", "-m", "immediate", "-D", str(place / "data")], check=False)


def _rows(place: Path) -> list[tuple[str]]:
    with psycopg.connect(f"host={place} port=5432 user=postgres dbname={NAME}") as link:
        return link.execute("SELECT valeur FROM ecrits ORDER BY 1").fetchall()


def test_what_is_printed_is_what_was_tried(everything: Everything, tmp_path: Path) -> None:
    """Each line to type is a line of the PDF, letter for letter, on the page of the key and on each sheet of words."""
    from releve.adapters.render import to_pdf

    words = words_page(
        where="s3:https://serveur/seau",
        vault="0" * 64,
        words="un deux",
        number=1,
        people=3,
        threshold=2,
        name="0" * 64,
        at=now(),
    )
    for number, page in enumerate((_page(everything), words)):
        to_pdf(page, tmp_path / f"{number}.pdf")
        document = pypdfium2.PdfDocument(tmp_path / f"{number}.pdf")
        printed = [
            line.strip()
            for sheet in document
            for line in sheet.get_textpage().get_text_bounded().splitlines()
        ]
        wanted = [
            line.strip()
            for section in page.sections
            for block in section.blocks
            if isinstance(block, Typed)
            for line in block.lines
        ]
        assert len(wanted) > 30
        assert [line for line in wanted if line not in printed] == []


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("s3:https://serveur/seau/dossier", "AWS_SECRET_ACCESS_KEY"),
        ("rest:https://serveur:8000/coffre", "rest:https://compte:secret@"),
        ("/mnt/nas/coffre", "montez le disque"),
    ],
)
def test_the_page_says_how_to_reach_its_own_vault(where: str, said: str) -> None:
    """A server's vault is reached by its address and its account, a folder's by mounting the disk."""
    page = str(key_page(where=where, vault="0" * 64, key="essai", name="0" * 64, at=now()))
    assert said in page
    assert f"{where}" in page
    assert ("montez le disque" in page) == where.startswith("/")
