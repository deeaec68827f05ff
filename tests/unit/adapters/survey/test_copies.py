"""Copies as an audit sees them: what follows, what a vault keeps, folders that are said to be copies."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releve.adapters.engines.files.marks import Mark
from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.copies import data_set_copies, holding_copies
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.saving import save
from releve.domain.audit import Found
from releve.domain.errors import Refused, Unreachable
from releve.domain.inventory import CopyPlace, Holding, HoldingKind
from releve.domain.plan import DataSet, HostSpec, Plan, Reach, SecretRef, VaultPlace
from releve.domain.ports import Completed, Host, Ledger
from releve.domain.protection import Contact, ServerFacts, ServerState, StandbyFacts, SyncState, Tenure
from releve.domain.runbook import Direction, Runbook, RunState, Task, TaskKind, TaskRecord, TaskState
from releve.domain.seen import Copy, Restored
from tests.fakes.hosts import FakeHost
from tests.fakes.ledger import FakeLedger
from tests.fakes.looks import Looks
from tests.fakes.plans import data_set, plan, share
from tests.vaults import fresh

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
HERE = "secours"


def no_vault(_: VaultPlace) -> Repository:
    """A vault that does not answer."""
    raise Unreachable("vault-missing", "le coffre ne répond pas")


def copies(found: Found) -> dict[str, Copy]:
    """By how each one is kept."""
    return {fact.how: fact for fact in found.facts if isinstance(fact, Copy)}


def look(
    subject: DataSet, looks: Looks, ledger: Ledger | None = None, trial: datetime | None = None
) -> Found:
    """What is found of a data set, seen from the relief."""
    known = ledger or FakeLedger()
    return data_set_copies(subject, ledger=known, end=looks.facts, here=HERE, vault=no_vault, trial=trial)


def following(**changes: object) -> Looks:
    """A database and its standby, which streams."""
    standby = StandbyFacts(SyncState.SYNC, 0, 0.0, 2.0)
    source = ServerFacts("principal", AT, ServerState.OPEN, standby=replace(standby, **changes))  # type: ignore[arg-type]
    return Looks(
        {
            "principal": source,
            "secours": ServerFacts("secours", AT, ServerState.CLOSED, following="principal"),
        }
    )


def test_a_standby_that_streams_is_a_copy_of_a_moment_ago() -> None:
    """Its date is that of its last answer, as its source counts it; its site is the other one."""
    copy = copies(look(data_set(), following()))["hot"]
    assert copy == Copy(
        "dossiers", "hot", "secours", "srv-secours:/secours/data", True, AT - timedelta(seconds=2)
    )


def test_a_standby_that_is_late_is_as_old_as_its_delay() -> None:
    """Ten seconds of delay are ten seconds of age."""
    copy = copies(look(data_set(), following(lag_bytes=9, lag_seconds=10.0)))["hot"]
    assert copy.at == AT - timedelta(seconds=12)


def test_a_standby_whose_delay_nobody_knows_has_no_date() -> None:
    """It exists, and no date is made up."""
    copy = copies(look(data_set(), following(lag_bytes=9, lag_seconds=None)))["hot"]
    assert (copy.found, copy.at) == (True, None)


def test_a_side_that_cannot_be_looked_at_is_neither_there_nor_absent() -> None:
    """Unknown is a gap; the last proof that the ledger has still dates it."""
    ledger = FakeLedger()
    ledger.facts.contact(Contact("dossiers", AT, 5.0, synchronous=True))
    found = look(data_set(), Looks(), ledger)
    copy = copies(found)["hot"]
    assert (copy.found, copy.at) == (None, AT - timedelta(seconds=5))
    assert [gap.code for gap in found.gaps] == ["copy-unseen"]


def test_a_relief_that_never_followed_has_no_copy() -> None:
    """Seen stopped, and nothing in the ledger: there is none."""
    stopped = Looks({"secours": ServerFacts("secours", AT, ServerState.STOPPED)})
    assert copies(look(data_set(), stopped))["hot"].found is False


def test_after_a_switch_the_copy_is_on_the_other_side() -> None:
    """Who holds the data now decides where the copy is, and not who held them first."""
    ledger = FakeLedger()
    ledger.tenures.take(Tenure("dossiers", 1, "secours", "r1", AT))
    assert copies(look(data_set(), Looks(), ledger))["hot"].site == "principal"


def test_the_copy_of_a_share_is_dated_by_what_it_says_to_have() -> None:
    """Everything closed before that instant is in it."""
    seen = ServerFacts("secours", AT, ServerState.CLOSED, following="principal", safe_until=AT)
    found = look(share(), Looks({"secours": seen}))
    assert (copies(found)["hot"].found, copies(found)["hot"].at) == (True, AT)


def test_a_vault_that_does_not_answer_is_a_gap(tmp_path: Path) -> None:
    """Its copy is neither found nor absent; from a site without access, neither."""
    found = look(share(), Looks())
    assert copies(found)["vault"].found is None
    assert "vault-missing" in {gap.code for gap in found.gaps}
    elsewhere = data_set_copies(
        share(), ledger=FakeLedger(), end=Looks().facts, here="ailleurs", vault=no_vault
    )
    assert copies(elsewhere)["vault"].found is None
    assert "vault-elsewhere" in {gap.code for gap in elsewhere.gaps}


def test_a_vault_dates_a_share_by_its_newest_snapshot(tmp_path: Path) -> None:
    """Of a real vault: nothing of that share is "no copy"; then its snapshot's date, and the site of the folder."""
    vault = fresh(tmp_path / "coffre")
    local = VaultPlace(str(tmp_path / "coffre"), SecretRef("env", "KEY"))
    remote = replace(local, address="rest:https://127.0.0.1:1/")
    subject = replace(share(), vault={"principal": remote, "secours": local})

    def kept() -> Copy:
        found = data_set_copies(
            subject, ledger=FakeLedger(), end=Looks().facts, here=HERE, vault=lambda _: vault
        )
        return copies(found)["vault"]

    empty = kept()
    assert (empty.found, empty.at, empty.site) == (False, None, "secours")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a").write_text("essai")
    for number, at in ((1, AT), (2, AT + timedelta(hours=1))):
        tags = Mark("documents", 0, number).tags()
        save(vault, [str(tmp_path / "docs")], now=lambda at=at: at, processes=1, tags=tags)
    seen = kept()
    assert (seen.found, seen.at) == (True, AT + timedelta(hours=1))


def test_a_database_without_anything_in_its_vault_has_no_copy_there(tmp_path: Path) -> None:
    """A vault that is read, and knows nothing of that name, is an answer."""
    vault = fresh(tmp_path / "coffre")
    place = VaultPlace(str(tmp_path / "coffre"), SecretRef("env", "KEY"))
    subject = replace(data_set(), vault={HERE: place})
    found = data_set_copies(subject, ledger=FakeLedger(), end=Looks().facts, here=HERE, vault=lambda _: vault)
    assert copies(found)["vault"].found is False


@pytest.mark.parametrize(
    ("state", "task_state", "restored"),
    [
        (RunState.DONE, TaskState.DONE, [Restored("dossiers", AT, "switch")]),
        (RunState.STOPPED, TaskState.DONE, []),
        (RunState.DONE, TaskState.SKIPPED, []),
    ],
)
def test_a_run_that_ended_well_is_a_restoration(
    state: RunState, task_state: TaskState, restored: list[Restored]
) -> None:
    """Only when its other side was really opened, and the run went to its end."""
    ledger = FakeLedger()
    tasks = (Task("t1", TaskKind.PROMOTE, "dossiers", "secours", "ouvrir", 1.0, "default"),)
    runbook = Runbook("r1", Direction.SWITCH, "", "principal", "secours", {"dossiers": 1}, tasks)
    ledger.runs.create(runbook, AT)
    ledger.runs.task("r1", TaskRecord("t1", task_state, AT, AT))
    ledger.runs.end("r1", state, AT)
    found = look(data_set(), Looks(), ledger)
    assert [fact for fact in found.facts if isinstance(fact, Restored)] == restored


def test_a_trial_is_a_restoration_of_its_own() -> None:
    """What `releve database try` noted stands beside the runs."""
    found = look(data_set(), Looks(), trial=AT)
    assert [fact for fact in found.facts if isinstance(fact, Restored)] == [Restored("dossiers", AT, "trial")]


# -- holdings ------------------------------------------------------------------------------------


def estate() -> Plan:
    """A plan with one machine, at the relief."""
    return replace(plan(), hosts=(HostSpec("nas", "secours", Reach.LOCAL),))


def folder(place: Path | str, host: Host | None = None, **changes: object) -> tuple[Copy, list[str]]:
    """What is found of a holding whose only copy is said to be there; and the codes of the gaps."""
    where = replace(CopyPlace("principal", "nas", str(place)), **changes)  # type: ignore[arg-type]
    holding = Holding("paie", "Paie", HoldingKind.FILES, "srv", "/srv/paie", copies=(where,))
    machine = host or LocalHost(HostSpec("nas", "secours", Reach.LOCAL))
    found = holding_copies(holding, estate(), host=lambda _: machine)
    (copy,) = found.facts
    assert isinstance(copy, Copy)
    return copy, [gap.code for gap in found.gaps]


def test_a_folder_is_as_fresh_as_its_newest_file(tmp_path: Path) -> None:
    """However deep; links do not count; the site is that of its machine, whatever its own line says."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name, at in (("vieux", AT - timedelta(days=9)), ("a/b/neuf", AT)):
        (tmp_path / name).write_text("essai")
        os.utime(tmp_path / name, (at.timestamp(),) * 2)
    (tmp_path / "lien").symlink_to("/etc/hostname")
    copy, gaps = folder(tmp_path, offline=True)
    assert copy == Copy("paie", "folder", "secours", f"nas:{tmp_path}", True, AT, offline=True)
    assert gaps == []


def test_a_place_that_is_a_file_is_dated_by_it(tmp_path: Path) -> None:
    """A single archive is a copy too."""
    (tmp_path / "paie.tar").write_text("essai")
    os.utime(tmp_path / "paie.tar", (AT.timestamp(),) * 2)
    assert folder(tmp_path / "paie.tar")[0].at == AT


def test_an_absent_or_empty_folder_is_no_copy(tmp_path: Path) -> None:
    """Both were looked at: not found, and no gap."""
    (tmp_path / "vide" / "dedans").mkdir(parents=True)
    for place in ("absent", "vide"):
        copy, gaps = folder(tmp_path / place)
        assert (copy.found, copy.at, gaps) == (False, None, [])


def test_files_of_the_future_date_nothing(tmp_path: Path) -> None:
    """A clock was wrong: the copy is there, and its date is unknown."""
    (tmp_path / "a").write_text("essai")
    os.utime(tmp_path / "a", (time.time() + 10 * 86_400,) * 2)
    copy, gaps = folder(tmp_path)
    assert (copy.found, copy.at, gaps) == (True, None, ["copy-future"])


@pytest.mark.parametrize(
    ("told", "found", "gap"),
    [
        ({"exists": None, "files": 0, "newest": None, "unread": 0, "cut": False}, None, "copy-denied"),
        ({"exists": True, "files": 4, "newest": 1e9, "unread": 2, "cut": False}, True, "copy-partly-seen"),
        ({"exists": True, "files": 0, "newest": None, "unread": 1, "cut": False}, None, "copy-partly-seen"),
        ({"exists": True, "files": 4, "newest": 1e9, "unread": 0, "cut": True}, True, "copy-partly-seen"),
        ({"exists": "oui"}, None, "answer-unclear"),
        ({}, None, "answer-unclear"),
    ],
)
def test_a_copy_that_was_seen_in_part_has_no_date(
    told: dict[str, object], found: bool | None, gap: str
) -> None:
    """What could not be read may be newer: the date is not that of what could."""
    host = FakeHost("nas", programs={"python3": lambda _: Completed(0, json.dumps(told).encode(), b"")})
    copy, gaps = folder("/copie", host)
    assert (copy.found, copy.at, gaps) == (found, None, [gap])


def test_a_copy_on_a_machine_that_is_gone_is_neither_there_nor_absent() -> None:
    """The gap is the machine's own."""
    copy, gaps = folder("/copie", FakeHost("nas", gone=True))
    assert (copy.found, len(gaps)) == (None, 1)


@pytest.mark.parametrize(
    ("host", "path", "how", "gap"),
    [("", "", "declared", "copy-declared"), ("autre", "/copie", "folder", "copy-host-unknown")],
)
def test_a_copy_that_no_machine_of_the_plan_holds_stays_as_declared(
    host: str, path: str, how: str, gap: str
) -> None:
    """Somebody says so, and nobody saw it: at the site that they say, and a gap."""
    copy, gaps = _declared(host, path)
    assert (copy.how, copy.site, copy.found, gaps) == (how, "principal", None, [gap])


def test_a_copy_that_may_not_be_looked_at_does_not_hide_the_others(tmp_path: Path) -> None:
    """The machine that refuses is a gap; the next place is looked at."""
    places = (
        CopyPlace("principal", "srv-principal", "/a"),
        CopyPlace("secours", "srv-secours", str(tmp_path)),
    )
    holding = Holding("paie", "Paie", HoldingKind.FILES, "srv", "/srv/paie", copies=places)

    def host(name: str) -> Host:
        if name == "srv-principal":
            raise Refused("network-not-audited", "réseau fermé")
        return LocalHost(HostSpec(name, "secours", Reach.LOCAL))

    found = holding_copies(holding, plan(), host=host)
    assert [fact.found for fact in found.facts if isinstance(fact, Copy)] == [None, False]
    assert [gap.code for gap in found.gaps] == ["network-not-audited"]


def _declared(host: str, path: str) -> tuple[Copy, list[str]]:
    where = CopyPlace("principal", host, path)
    holding = Holding("paie", "Paie", HoldingKind.FILES, "srv", "/srv/paie", copies=(where,))
    found = holding_copies(holding, estate(), host=lambda _: FakeHost("nas"))
    (copy,) = found.facts
    assert isinstance(copy, Copy)
    return copy, [gap.code for gap in found.gaps]
