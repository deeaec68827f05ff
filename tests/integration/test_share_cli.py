"""`releve share`: two resident processes, and what becomes of them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from releve.domain.errors import PromiseBroken
from releve.entrypoints.worker.register import Watch, of_scope
from releve.entrypoints.worker.thinning import thin_share
from tests.commands import here
from tests.shares import Chaos, inside
from tests.vaults import PASSWORD, fresh, keep, reopened

RELEVE = Path(sys.executable).parent / "releve"
PATIENCE = 60.0


class Site:
    """A vault, a share, and the processes that were started; none survives the test."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "share"
        self.hot = base / "hot"
        self.root.mkdir()
        fresh(base / "vault")
        self._started: list[subprocess.Popen[bytes]] = []

    def argv(self, *words: str) -> list[str]:
        return [str(RELEVE), "share", *words]

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "RELEVE_VAULT_KEY": PASSWORD}

    def start(self, verb: str, *more: str) -> subprocess.Popen[bytes]:
        root = self.root if verb == "capture" else self.hot
        argv = self.argv(
            verb,
            str(self.base / "vault"),
            "-s",
            "documents",
            "-r",
            str(root),
            "--state",
            str(self.state(verb)),
        )
        with (self.base / f"{verb}.log").open("ab") as log:
            started = subprocess.Popen([*argv, *more], env=self.environment(), stderr=log, stdout=log)
        self._started.append(started)
        return started

    def state(self, verb: str) -> Path:
        return self.base / f"state-{verb}"

    def status(self, verb: str) -> tuple[int, Mapping[str, Any]]:
        ran = here(["share", "status", str(self.state(verb)), "--json"], self.environment())
        return ran.returncode, json.loads(ran.stdout)

    def log(self, verb: str) -> str:
        return (self.base / f"{verb}.log").read_text(encoding="utf-8")

    def stop_all(self) -> None:
        for one in self._started:
            one.kill()
            one.wait()

    def equal(self) -> bool:
        try:
            return self.hot.exists() and inside(self.hot) == inside(self.root)
        except OSError:  # it is being written to: a folder that was listed has become a file
            return False


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Both sides on one machine."""
    made = Site(tmp_path)
    yield made
    made.stop_all()


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _quiet(what):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def _quiet(what: Callable[[], bool]) -> bool:
    try:
        return what()
    except (FileNotFoundError, KeyError):
        return False  # looked at while it changed


def test_what_people_save_is_in_the_copy_and_the_status_says_so(site: Site) -> None:
    """Saved on one side, there on the other; both processes say how far they are, and stop when told."""
    capture, follow = site.start("capture"), site.start("follow")
    Chaos(site.root, 1).work(60)
    _until(site.equal)
    code, said = site.status("capture")
    assert code == 0
    assert said["capture"]["how"] == "fanotify"
    assert said["capture"]["files"] == sum(
        1 for path in site.root.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    _until(lambda: site.status("follow")[0] == 0)
    (site.root / "dernier.txt").write_text("juste avant l'arrêt")
    capture.send_signal(signal.SIGTERM)
    assert capture.wait(20) == 0
    _until(site.equal)
    follow.send_signal(signal.SIGTERM)
    assert follow.wait(20) == 0
    assert (site.hot / "dernier.txt").read_text() == "juste avant l'arrêt"


@pytest.mark.parametrize(
    "seed", [11, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(12, 20))]
)
def test_killed_at_any_moment_both_take_up_where_they_were(site: Site, seed: int) -> None:
    """Kill -9 of either, again and again, while people work: nothing is lost, and the copy ends up equal."""
    chance = random.Random(seed)
    chaos = Chaos(site.root, seed)
    running = {verb: site.start(verb) for verb in ("capture", "follow")}
    _until(lambda: "safe_until" in site.status("capture")[1].get("capture", {}))
    acknowledged: set[str] = set()
    for _ in range(8):
        chaos.work(10)
        time.sleep(chance.random() * 1.2)
        acknowledged.add(str(site.status("capture")[1]["capture"]["snapshot"]))
        verb = chance.choice(["capture", "follow"])
        running[verb].kill()
        running[verb].wait()
        chaos.work(5)
        running[verb] = site.start(verb)
    _until(site.equal)
    vault = reopened(site.base / "vault")
    assert acknowledged - {""} <= {one.id for one in vault.snapshots()}
    verdict = verify(vault)
    assert verdict.sound, (seed, verdict.troubles)


def test_a_vault_that_goes_away_is_told_and_taken_up_again(site: Site) -> None:
    """While the vault cannot be reached the status is not green; once it is back, nothing has to be done."""
    site.start("capture")
    _until(lambda: site.status("capture")[0] == 0)
    (site.base / "vault").rename(site.base / "parti")
    (site.root / "pendant.txt").write_text("x")
    _until(lambda: site.status("capture")[0] == 3)
    assert "vault" in site.status("capture")[1]["capture"]["troubled"]
    (site.base / "parti").rename(site.base / "vault")
    _until(lambda: site.status("capture")[0] == 0)
    site.start("follow")
    _until(site.equal)


@pytest.mark.parametrize("epoch", ["1", "0"])
def test_a_capture_says_that_another_writes_the_same_share(site: Site, epoch: str) -> None:
    """Under a newer epoch or under the same one: what is saved here is not what the copy follows, and not green."""
    site.start("capture")
    _until(lambda: site.status("capture")[0] == 0)
    other = site.base / "autre"
    other.mkdir()
    (other / "b").write_text("b")
    site.start("capture", "--root", str(other), "--state", str(site.base / "state-autre"), "--epoch", epoch)
    _until(lambda: bool(site.status("capture")[1]["capture"]["elsewhere"]))
    assert site.status("capture")[0] == 3


def test_a_capture_whose_last_look_failed_does_not_end_well(site: Site) -> None:
    """Stopped while the vault is away: what was saved last is nowhere else, and the exit code says so."""
    capture = site.start("capture")
    _until(lambda: site.status("capture")[0] == 0)
    (site.base / "vault").rename(site.base / "parti")
    (site.root / "dernier.txt").write_text("x")
    capture.send_signal(signal.SIGTERM)
    assert capture.wait(20) == 3


@pytest.mark.parametrize("damaged", ["{}", "[]", '{"written_at": 3}'])
def test_a_damaged_state_is_an_error_with_a_hint(tmp_path: Path, damaged: str) -> None:
    """What cannot be read as a state is said, not thrown at a person."""
    (tmp_path / "capture.json").write_text(damaged)
    said = here(["share", "status", str(tmp_path)], os.environ)
    assert said.returncode != 0
    assert "share-state" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_clock_that_is_ahead_hides_no_capture_that_died(site: Site) -> None:
    """The other side's instants lie ahead and nothing comes any more: not green, and the clock is told."""
    site.start("capture")
    site.start("follow", "--no-thin")
    _until(lambda: site.status("follow")[0] == 0)
    site.stop_all()
    note = site.state("follow") / "follow.json"
    value = json.loads(note.read_text(encoding="utf-8"))
    now = datetime.now(UTC)
    value["safe_until"] = (now + timedelta(hours=2)).isoformat()
    value["applied_at"] = (now - timedelta(minutes=5)).isoformat()
    note.write_text(json.dumps(value), encoding="utf-8")
    said = here(["share", "status", str(site.state("follow"))], site.environment())
    assert said.returncode == 3
    assert "plus rien de nouveau n'arrive" in said.stdout
    assert "une horloge est fausse" in said.stdout


def test_an_unreadable_snapshot_is_told_stops_nobody_and_can_be_dropped(site: Site) -> None:
    """Both processes begin and go on beside it, thinning refuses; the status names it until heal has dropped it."""
    raw = b"ni cle ni sceau"
    name = hashlib.sha256(raw).hexdigest()
    reopened(site.base / "vault").store.write(Kind.SNAPSHOTS, name, [raw])
    site.start("capture")
    site.start("follow", "--no-thin")
    Chaos(site.root, 2).work(20)
    _until(site.equal)
    _until(lambda: site.status("follow")[1]["follow"]["unreadable_snapshots"] == [name])
    assert site.status("follow")[0] == 3
    said = here(["share", "status", str(site.state("follow"))], site.environment()).stdout
    assert f"un instantané du coffre ne se lit pas : {name[:8]} ; releve vault heal" in said
    with pytest.raises(PromiseBroken):
        thin_share(reopened(site.base / "vault"), "documents", site.state("follow"), yes=True)
    site.stop_all()
    told = here(["vault", "heal", str(site.base / "vault")], site.environment())
    assert told.returncode == 3
    assert f"instantané qui reste illisible : {name}" in told.stdout
    assert "--drop-unreadable-snapshots" in told.stdout
    words = ["vault", "heal", str(site.base / "vault"), "--drop-unreadable-snapshots", "--json"]
    done = here(words, site.environment())
    assert (done.returncode, json.loads(done.stdout)["dropped_snapshots"]) == (0, [name])
    site.start("capture")
    site.start("follow", "--no-thin")
    _until(lambda: site.status("follow")[0] == 0)
    assert site.status("follow")[1]["follow"]["unreadable_snapshots"] == []


def test_a_share_is_captured_once(site: Site) -> None:
    """A second capture of the same state is refused, and says who runs."""
    site.start("capture")
    _until(lambda: site.status("capture")[0] == 0)
    second = site.start("capture")
    assert second.wait(20) == 4
    assert "tourne déjà" in site.log("capture")


def test_a_past_epoch_captures_nothing(site: Site) -> None:
    """Once another side writes under a higher epoch, this one refuses to capture."""
    first = site.start("capture", "--epoch", "2")
    _until(lambda: site.status("capture")[0] == 0)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    late = site.start("capture", "--epoch", "1")
    assert late.wait(20) == 4
    assert "époque 2" in site.log("capture")


def test_a_process_that_fell_silent_is_not_green(site: Site) -> None:
    """An old word is shown with its age, and the command does not leave with 0."""
    capture = site.start("capture")
    _until(lambda: site.status("capture")[0] == 0)
    capture.kill()
    capture.wait()
    path = site.state("capture") / "capture.json"
    value = json.loads(path.read_text())
    value["written_at"] = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    path.write_text(json.dumps(value))
    code, _ = site.status("capture")
    assert code == 3


def test_a_status_of_nothing_is_an_error(site: Site) -> None:
    """A folder where nobody said anything is not a share at peace."""
    ran = subprocess.run(site.argv("status", str(site.base)), capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "rien dit" in ran.stderr


def test_the_vault_may_not_lie_in_the_share(site: Site) -> None:
    """A vault inside what it saves would save itself for ever."""
    argv = site.argv(
        "capture", str(site.base / "vault"), "-s", "d", "-r", str(site.base), "--state", str(site.base / "e")
    )
    ran = subprocess.run(argv, env=site.environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "l'un dans l'autre" in ran.stderr


def _seen_before(site: Site, past: datetime) -> None:
    """The relief saw these snapshots then, in an earlier life of its machine."""
    vault = reopened(site.base / "vault")
    watch = Watch(vault, site.state("follow"), "documents", now=lambda: past, up=lambda: ("avant", 0.0))
    watch.look(of_scope(vault, "documents"))
    watch.close()


def test_thinning_shows_then_does(site: Site) -> None:
    """Without --yes nothing is touched; with it, what is out of the policy goes, and the copy goes on."""
    site.start("capture")
    snapshots = site.base / "vault" / "snapshots"
    for number in range(4):
        (site.root / "a").write_text(str(number))
        _until(lambda known=number: len(list(snapshots.iterdir())) > known)
    past = datetime.now(UTC) - timedelta(minutes=30)
    for path in snapshots.iterdir():
        os.utime(path, (past.timestamp(), past.timestamp()))
    _seen_before(site, past)
    follow = site.start("follow", "--no-thin")
    _until(site.equal)
    argv = site.argv(
        "thin", str(site.base / "vault"), "-s", "documents", "--state", str(site.state("follow")), "--json"
    )
    shown = json.loads(
        subprocess.run(argv, env=site.environment(), capture_output=True, text=True, check=True).stdout
    )
    assert shown["removed"]
    assert not shown["done"]
    assert {one.name for one in snapshots.iterdir()} >= set(shown["removed"])
    ran = subprocess.run([*argv, "--yes"], env=site.environment(), capture_output=True, text=True, check=True)
    done = json.loads(ran.stdout)
    assert done["removed"]
    assert not {one.name for one in snapshots.iterdir()} & set(done["removed"])
    (site.root / "apres").write_text("la copie continue")
    _until(site.equal)
    assert follow.poll() is None
    assert verify(reopened(site.base / "vault")).sound


def test_the_vaults_own_forgetting_takes_nothing_of_a_share(site: Site) -> None:
    """`vault forget` as the guide of the vault says it: the share's snapshots stay, and its list misses none."""
    capture = site.start("capture")
    for number in range(3):
        (site.root / "a").write_text(str(number))
        time.sleep(1.2)
    follow = site.start("follow", "--no-thin")
    _until(site.equal)
    for one in (capture, follow):  # nobody else works in the vault
        one.send_signal(signal.SIGTERM)
        one.wait(20)
    vault = reopened(site.base / "vault")
    keep(vault, site.base / "vault" / "keys")
    keep(vault, site.base / "vault" / "keys")
    before = {mark.number for mark, _ in of_scope(vault, "documents") if mark}
    tool = [sys.executable, "-P", "-m", "releve", "vault"]
    forget = [*tool, "forget", str(site.base / "vault"), "--keep-last", "1", "--minimum-age", "1 s", "--yes"]
    time.sleep(1.2)
    ran = subprocess.run(
        [*forget, "--json"], env=site.environment(), capture_output=True, text=True, check=True
    )
    assert [one["keep"] for one in json.loads(ran.stdout)["rulings"]].count(False) == 1
    assert len(before) > 1
    assert before <= {mark.number for mark, _ in of_scope(reopened(site.base / "vault"), "documents") if mark}
    check = [*tool, "register", "check", str(site.base / "vault"), "--state", str(site.state("follow"))]
    told = subprocess.run(check, env=site.environment(), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_an_alert_is_shown_and_answered(site: Site) -> None:
    """Locked documents: the status is not green and says why; "resume" lets the copy follow again."""
    for number in range(40):
        (site.root / f"lettre{number}.txt").write_text("Madame, Monsieur, " * 100)
    site.start("capture")
    site.start("follow")
    _until(site.equal)
    for path in site.root.iterdir():
        path.write_bytes(os.urandom(1800))
    _until(lambda: bool(site.status("follow")[1]["follow"].get("alert")))
    code, said = site.status("follow")
    assert code == 3
    assert "40 fichiers" in said["follow"]["alert"]["reason"]
    argv = site.argv("decide", str(site.state("follow")), "resume", "--by", "la direction")
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
    _until(site.equal)
    _until(lambda: not site.status("follow")[1]["follow"].get("alert"))
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("words", [["peut-être", "--by", "x"], ["back", "--by", " "]])
def test_a_decision_that_is_none(site: Site, words: list[str]) -> None:
    """Neither back nor resume, or nobody: refused."""
    ran = subprocess.run(site.argv("decide", str(site.base), *words), capture_output=True, check=False)
    assert ran.returncode == 2


def test_the_captured_folder_is_no_place_for_its_copy(site: Site) -> None:
    """The copy would shut the users out and undo what they save: refused, and the folder stays as it is."""
    site.start("capture")
    (site.root / "a").write_text("a")
    _until(lambda: site.status("capture")[0] == 0)
    before = site.root.stat().st_mode
    argv = ["share", "follow", str(site.base / "vault"), "-s", "documents", "-r", str(site.root), "--json"]
    ran = here([*argv, "--state", str(site.base / "autre")], site.environment())
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (4, "share-captured-here")
    assert site.root.stat().st_mode == before
    assert not (site.root / ".releve").exists()


def test_what_stood_in_the_place_of_the_copy_is_put_aside_and_said(site: Site) -> None:
    """A folder with something else in it: nothing is lost, and the log says where it is."""
    (site.root / "a").write_text("a")
    site.hot.mkdir()
    (site.hot / "précieux.txt").write_text("x")
    site.start("capture")
    site.start("follow")
    _until(site.equal)
    (aside,) = (site.state("follow") / "aside").iterdir()
    assert (aside / "précieux.txt").read_text() == "x"
    _until(lambda: "1 chose mise de côté" in site.log("follow"))


def test_a_misspelt_share_is_refused_or_awaited_aloud(site: Site) -> None:
    """Thinning refuses it and makes nothing; a follower waits, says why, and goes on once the share is captured."""
    early = site.start("follow", "--no-thin")
    _until(lambda: "le coffre ne connaît aucun partage « documents »" in site.log("follow"))
    _until(lambda: site.status("follow")[0] == 3)  # it says so in its log first
    assert "aucun partage « documents »" in str(site.status("follow")[1]["follow"]["waits"])
    site.start("capture")
    _until(lambda: site.status("follow")[0] == 0)
    assert site.status("follow")[1]["follow"]["waits"] == ""
    early.send_signal(signal.SIGTERM)
    assert early.wait(20) == 0
    state = site.base / "neuf"
    words = ["share", "thin", str(site.base / "vault"), "-s", "documnets", "--state", str(state), "--json"]
    ran = here(words, site.environment())
    error = json.loads(ran.stdout)["error"]
    assert (ran.returncode, error["code"]) == (2, "unknown-share")
    assert error["hint"] == "vouliez-vous dire « documents » ? noms connus : documents"
    assert not state.exists()
    wrong = site.start("follow", "--no-thin", "-s", "documnets", "--state", str(state))
    _until(lambda: "« documnets » ; vouliez-vous dire « documents »" in site.log("follow"))
    waiting = lambda: here(["share", "status", str(state)], site.environment())
    _until(lambda: waiting().returncode == 3)
    assert "vouliez-vous dire « documents »" in waiting().stdout
    assert wrong.poll() is None


def test_a_misspelt_name_of_the_plan_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """The keepers of a share and of a database, started by hand: the hint is the name that was meant."""
    plan = tmp_path / "plan.yaml"
    text = (Path(__file__).parents[1] / "golden" / "plan" / "valid-share.yaml").read_text(encoding="utf-8")
    plan.write_text(text.replace("    kind: health\n", "    kind: health\n    vault: coffre\n"), "utf-8")
    for group, typed, meant in (("share", "documnets", "documents"), ("database", "dosiers", "dossiers")):
        words = [group, "keep", typed, "--site", "secours", "--plan", str(plan), "--json"]
        error = json.loads(here(words, os.environ).stdout)["error"]
        assert (error["code"], error["hint"]) == (
            f"unknown-{group}",
            f"vouliez-vous dire « {meant} » ? noms connus : {meant}",
        )


def test_who_holds_the_vault_is_named_and_how_to_stop_it(site: Site) -> None:
    """Healing beside a capture: the process, since when, and the command that makes the vault free."""
    capture = site.start("capture")
    _until(lambda: site.status("capture")[0] == 0)
    heal = ["vault", "heal", str(site.base / "vault")]
    refused = here([*heal, "--json"], site.environment())
    error = json.loads(refused.stdout)["error"]
    assert (refused.returncode, error["code"]) == (4, "vault-locked")
    started = datetime.now().astimezone()
    assert (
        f"« releve share capture », processus {capture.pid}, depuis le {started:%d/%m à }" in error["message"]
    )
    assert error["hint"] == f"il ne finit pas de lui-même : kill {capture.pid}"
    subprocess.run(error["hint"].partition(" : ")[2].split(), check=True)
    assert capture.wait(20) == 0
    healed = here(heal, site.environment())
    assert healed.returncode == 0, healed.stderr
