"""A vault that was copied without its dates: nothing is thinned by the day of the copy, unless a person says so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from releve.adapters.engines.files.marks import Mark
from releve.adapters.engines.postgresql.archive.marks import BaseMark
from releve.adapters.vault.saving import save
from releve.entrypoints.worker.register import Watch, of_scope
from tests.commands import here
from tests.vaults import PASSWORD, fresh, now, reopened

DAYS = 5
POLICY = ("--keep-last", "2", "--keep-daily", "2", "--minimum-age", "0")


class Past:
    """A vault that was saved into twice a day, five days in a row, until `ago` days ago.

    `listed`: the scope of the relief's list, which looked each time; None: there is none.
    """

    def __init__(
        self,
        base: Path,
        tags: Callable[[int, datetime], Sequence[str]],
        listed: str | None = None,
        ago: int = 2,
    ) -> None:
        self.base = base
        self.folder = base / "coffre"
        self.state = base / "liste"
        vault = fresh(self.folder)
        (base / "partage").mkdir()
        morning = now().astimezone().replace(hour=9, minute=0, second=0, microsecond=0)
        self.names: list[str] = []
        for number in range(2 * DAYS):
            at = morning - timedelta(days=ago + DAYS - 1 - number // 2, hours=-2 * (number % 2))
            (base / "partage" / "a").write_text(str(number))
            name = save(vault, [str(base / "partage")], now=lambda at=at: at, tags=tags(number, at)).id  # type: ignore[misc]
            self.names.append(name)
            _date(self.folder / "snapshots" / name, at)
            if listed is not None:
                self.look(self.folder, listed, at)

    def look(self, folder: Path, scope: str, at: datetime) -> None:
        """The relief looks at a vault, and puts on its list what it sees."""
        vault = reopened(folder)
        watch = Watch(vault, self.state, scope, now=lambda: at, up=lambda: ("avant", at.timestamp()))
        watch.look(of_scope(vault, scope))
        watch.close()

    def copy(self, *, dates: bool, ago: float = 0) -> Path:
        """A copy of the vault, made `ago` days ago: `cp -a`, or `cp -r`."""
        made = self.base / f"copie-{dates}"
        shutil.copytree(self.folder, made, copy_function=shutil.copy2 if dates else shutil.copy)
        for path in (made / "snapshots").iterdir() if ago else ():
            _date(path, datetime.fromtimestamp(path.stat().st_mtime, UTC) - timedelta(days=ago))
        return made

    def said(self, *words: str | Path) -> dict[str, Any]:
        """A command's JSON."""
        ran = here([*map(str, words), "--json"], {**os.environ, "RELEVE_VAULT_KEY": PASSWORD})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return dict(json.loads(ran.stdout))

    def kept(self, *words: str | Path) -> list[int]:
        """The numbers of the snapshots that a command would keep."""
        rulings = self.said(*words)["rulings"]
        assert len(rulings) == len(self.names)
        return sorted(self.names.index(one["snapshot"]) for one in rulings if one["keep"])


def _date(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))


def _none(_number: int, _at: datetime) -> Sequence[str]:
    return ()


def _share(number: int, _at: datetime) -> Sequence[str]:
    return Mark("documents", 0, number + 1).tags()


def _base(number: int, at: datetime) -> Sequence[str]:
    start = (number + 1) << 24
    return BaseMark("dossiers", "1", f"releve-{number}", 1, start, start + 100, at, 160000, 1 << 24).tags()


ALL = list(range(2 * DAYS))


def test_a_copy_without_dates_loses_nothing_until_a_person_says_so(tmp_path: Path) -> None:
    """With its dates it is thinned as the vault; without, all stay, with the reason; told so, a day keeps its last."""
    past = Past(tmp_path, _none)
    assert past.kept("vault", "forget", past.folder, *POLICY) == [7, 8, 9]
    assert past.kept("vault", "forget", past.copy(dates=True), *POLICY) == [7, 8, 9]
    bare = past.copy(dates=False)
    rulings = past.said("vault", "forget", bare, *POLICY)["rulings"]
    assert all("arrivé avec une copie du coffre" in one["reasons"] for one in rulings)
    words = ["vault", "forget", str(bare), *POLICY]
    shown = here([*words, "--yes"], {**os.environ, "RELEVE_VAULT_KEY": PASSWORD}).stdout
    assert f"(arrivé le {now().astimezone():%Y-%m-%d}" in shown
    assert "--copies-too" in shown
    assert len(list((bare / "snapshots").iterdir())) == len(ALL)
    assert past.kept(*words, "--copies-too") == [1, 3, 5, 7, 8, 9]


def test_what_is_saved_after_the_copy_is_judged_as_ever(tmp_path: Path) -> None:
    """The copy stays beside it, and takes no place of the policy's."""
    past = Past(tmp_path, _none, ago=20)
    bare = past.copy(dates=False, ago=10)
    since = []
    for day in (4, 3, 2):
        at = now() - timedelta(days=day)
        since.append(save(reopened(bare), [str(tmp_path / "partage")], now=lambda at=at: at).id)  # type: ignore[misc]
        _date(bare / "snapshots" / since[-1], at)
    rulings = past.said("vault", "forget", bare, "--keep-daily", "2", "--minimum-age", "0")["rulings"]
    assert [one["snapshot"] for one in rulings if not one["keep"]] == since[:1]


def test_a_list_that_saw_the_snapshots_before_the_copy_tells_their_dates(tmp_path: Path) -> None:
    """The relief's own record is worth more than the dates that the copy lost: thinned as the vault."""
    past = Past(tmp_path, _none, "")
    bare = past.copy(dates=False)
    assert past.kept("vault", "forget", bare, *POLICY, "--register", past.state) == [7, 8, 9]


def test_a_copied_vault_keeps_the_history_of_a_share(tmp_path: Path) -> None:
    """Its thinning goes by itself, every ten minutes: half an hour after a copy, nothing is gone."""
    past = Past(tmp_path, _share)
    bare = past.copy(dates=False, ago=1 / 48)
    past.look(bare, "documents", now() - timedelta(minutes=29))
    said = past.said("share", "thin", bare, "-s", "documents", "--state", past.state)
    assert (said["snapshots"], said["removed"]) == (2 * DAYS, [])


def test_a_copied_vault_keeps_the_bases_of_a_database(tmp_path: Path) -> None:
    """All of them, whatever the policy; told so, the last of each day; with the list of before, as the vault."""
    past = Past(tmp_path, _base)
    bare = past.copy(dates=False)
    forget = ("database", "forget", bare, "-d", "dossiers", "--keep-daily", "2", "--minimum-age", "0")
    assert past.kept(*forget, "--state", tmp_path / "ménage") == ALL
    assert past.kept(*forget, "--state", tmp_path / "ménage", "--copies-too") == [1, 3, 5, 7, 9]


def test_a_list_of_before_tells_the_dates_of_bases(tmp_path: Path) -> None:
    """As of anything else."""
    past = Past(tmp_path, _base, "database=dossiers")
    bare = past.copy(dates=False)
    forget = ("database", "forget", bare, "-d", "dossiers", "--keep-daily", "2", "--minimum-age", "0")
    assert past.kept(*forget, "--state", past.state) == [7, 9]
