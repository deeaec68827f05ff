"""`releve audit` as a person types it, on a folder of this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from releve.adapters.ledger import open_ledger
from releve.app import House, surveyor
from releve.cycle.audit.errands import errands
from releve.cycle.plan.load import read_plan
from releve.domain.audit import RESTORED, Acceptance, Errand, Found, Gap, Look, Topic
from releve.domain.audit import Answer as Said
from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import Tenure
from releve.domain.seen import Connection, Copy, Documents, Fact, System, Tally
from releve.entrypoints.cli import audit_run
from releve.entrypoints.cli.audit_notes import year_after
from releve.entrypoints.cli.audit_photo import kept
from releve.entrypoints.cli.audit_places import page
from tests.commands import here

IMAGE = b"\xff\xd8\xffimage fictive"

PLAN = """\
version: 1
association: {name: "Association fictive Les Tilleuls"}
calendars: [{id: jamais-ouvert-ou-presque, open: {mon: ["03:00-03:01"]}}]
sites:
  - {id: siege, name: Siège, role: primary}
  - {id: foyer, name: Foyer, role: relief, worker: {listen: "127.0.0.1:7401", state: STATE}}
hosts:
  - {id: serveur, site: siege, reach: local} # la seule machine
contacts: [{id: technicien, name: Technicien, phone: "00 00 00 00 02"}]
applications:
  - {id: partage, name: Partage, owner: technicien, tolerance: {rto: 8 h}, without_it: Papier, do_not: [Ressaisir]}
holdings:
  - {id: archives, name: Archives, engine: files, host: serveur, path: SHARE, copies: [{site: foyer, host: serveur, path: COPY}]}
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A plan, a share of two files, an empty place for its copy."""
    for name in ("state", "share", "copy"):
        (tmp_path / name).mkdir()
    (tmp_path / "share" / "a.txt").write_text("rien")
    (tmp_path / "share" / "b.pdf").write_text("rien")
    text = PLAN
    for name in ("state", "share", "copy"):
        text = text.replace(name.upper(), str(tmp_path / name))
    (tmp_path / "plan.yaml").write_text(text)
    return tmp_path


def run(house: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`releve audit` with these words, on the plan of the house."""
    environment = {"PATH": os.environ["PATH"], "RELEVE_PLAN": str(house / "plan.yaml"), "LC_ALL": "C.UTF-8"}
    return here(["audit", *words], environment, stdin)


def looked(house: Path, *words: str) -> None:
    """An audit of the share and its copy: the quick topics."""
    done = run(house, "run", "--only", "files", "--only", "copies", *words)
    assert done.returncode == 0, done.stderr


def value(house: Path, *words: str) -> dict[str, object]:
    """What a command says in JSON."""
    done = run(house, *words, "--json")
    assert done.returncode in {0, 3}, done.stdout
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def points(house: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The weak points by (code, subject)."""
    found = value(house, "show", "--accepted")["weak_points"]
    assert isinstance(found, list)
    return {(item["code"], item["subject"]): item for item in found}


def test_what_would_be_looked_at_is_said_and_nothing_is_done(house: Path) -> None:
    """`--show` names every look; no audit is begun."""
    said = run(house, "run", "--show")
    assert said.returncode == 0
    assert "archives" in said.stdout
    assert "serveur" in said.stdout
    assert run(house, "list").stdout.strip() == "aucun audit"


def test_without_an_audit_there_is_nothing_to_show(house: Path) -> None:
    """The error says which command makes one; every audit exits with the code of bad input."""
    for words in (("show",), ("facts",), ("import",), ("show", "20260101-000000")):
        said = run(house, *words)
        assert said.returncode == 2
        assert "releve audit run" in said.stderr


def test_an_audit_is_kept_shown_and_proved(house: Path) -> None:
    """Facts, points, files on request, and an entry in the chain of evidence."""
    looked(house)
    (one,) = value(house, "list")["audits"]  # type: ignore[misc]
    assert (one["looks"], one["planned"], one["ended"] is not None) == (2, 2, True)
    assert "2 (" in run(house, "facts", "--only", "files").stdout.replace("textes 1", "")
    shown = run(house, "show", "--sarif", str(house / "a.sarif"), "--map", str(house / "a.svg"))
    assert shown.returncode == 0
    log = json.loads((house / "a.sarif").read_text())
    (results,) = (found["results"] for found in log["runs"])
    assert {(item["ruleId"], item["partialFingerprints"]["releve/v1"]) for item in results} == {
        (code, f"{code}:{subject}") for code, subject in points(house)
    }
    places = {item["locations"][0]["physicalLocation"].get("region", {}).get("startLine") for item in results}
    assert 13 in places  # the line of the archives
    assert (house / "a.svg").read_text().startswith("<svg")
    proofs = here(
        ["evidence", "list", "--state", str(house / "state"), "--json"], {"PATH": os.environ["PATH"]}
    )
    assert [item["kind"] for item in json.loads(proofs.stdout)["entries"]] == ["audit"]


def test_a_pipeline_stops_when_nothing_could_be_seen(house: Path) -> None:
    """An audit none of whose looks came back has no grave point, and is not let through for that."""
    looked(house)
    ledger = open_ledger(house / "state")
    (first,) = ledger.audits.all()
    began = first.started + timedelta(hours=1)
    ledger.audits.begin(dataclasses.replace(first, id="blind", started=began, ended=began))
    for errand in first.errands:
        ledger.audits.keep("blind", Look(errand, began, 0.1, (), (Gap("host-unreachable", "muette"),)))
    ledger.close()
    said = run(house, "show", "--fail-on", "critical", "--json")
    assert said.returncode == 3
    assert "critical" not in {item["severity"] for item in points(house).values()}
    assert "--fail-on : " in run(house, "show", "--fail-on", "critical").stdout
    assert "--fail-on : " not in run(house, "show").stdout


def test_the_plan_of_a_log_is_an_address(house: Path) -> None:
    """A SARIF `uri` is a URI: what its syntax keeps for itself is written in percents."""
    plan = house / "mon plan été#1:a.yaml"
    (house / "plan.yaml").rename(plan)
    words = ("--plan", str(plan))
    looked(house, *words)
    assert run(house, "show", *words, "--sarif", str(house / "a.sarif")).returncode == 0
    (log,) = json.loads((house / "a.sarif").read_text())["runs"]
    places = [item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for item in log["results"]]
    assert set(places) == {"mon%20plan%20%C3%A9t%C3%A9%231%3Aa.yaml"}


def test_a_pipeline_can_stop_on_a_grave_point(house: Path) -> None:
    """`--fail-on` exits with 3 while a point of that severity or more is open; an unknown word is refused."""
    looked(house)
    grave = {item["severity"] for item in points(house).values()}
    assert "major" in grave
    assert run(house, "show", "--fail-on", "major").returncode == 3
    assert run(house, "show", "--fail-on", "critical").returncode == (3 if "critical" in grave else 0)
    assert run(house, "show", "--fail-on", "grave").returncode == 2


def test_a_point_is_accepted_comes_back_and_is_withdrawn(house: Path) -> None:
    """A named role, a reason and a day, a year at most; what is accepted is left out until asked for."""
    looked(house)
    code, subject = next(key for key, item in points(house).items() if item["severity"] == "major")
    words = ("accept", code, subject, "--by", "directrice")
    assert run(house, *words, "--until", "2099-01-01", "--why", "budget").returncode == 2
    assert run(house, *words, "--until", "2020-01-01", "--why", "budget").returncode == 2
    assert run(house, *words, "--until", _soon()).returncode == 2  # no reason
    assert (
        run(house, "accept", "ZZZ-99", subject, "--by", "d", "--why", "w", "--until", _soon()).returncode == 2
    )
    done = run(house, *words, "--until", _soon(), "--why", "budget")
    assert done.returncode == 0, done.stderr
    assert points(house)[code, subject]["standing"] == "accepted"
    hidden = value(house, "show")
    assert "acceptés" in run(house, "show").stdout or "accepté" in run(house, "show").stdout
    assert hidden["audit"]
    assert run(house, "accept", code, subject, "--withdraw", "--by", "directrice").returncode == 0
    assert points(house)[code, subject]["standing"] == "open"
    assert run(house, "accept", code, subject, "--withdraw", "--by", "directrice").returncode == 2


def _soon() -> str:
    return (date.today() + timedelta(days=30)).isoformat()  # noqa: DTZ011 (what a person types)


def test_questions_are_answered_one_by_one_and_each_is_kept(house: Path) -> None:
    """Yes, later, no, then leave: two are kept; the checklist shows who said what; a photo is kept beside."""
    looked(house)
    asked = run(house, "ask", "--about", "siege", "--by", "technicien", stdin="o\n\nn\n!\n")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("2 réponses gardées")
    again = run(house, "ask", "--about", "siege", "--by", "technicien", stdin="")
    assert again.stdout.startswith("0 réponse gardée")
    questions = value(house, "checklist")["questions"]
    assert isinstance(questions, list)
    mine = [item for item in questions if item["subject"] == "siege" and item["answer"]]
    assert [item["answer"]["good"] for item in mine] == [True, False]
    (house / "prise.jpg").write_bytes(IMAGE)
    code = mine[0]["question"]
    words = ("answer", code, "oui", "--about", "siege", "--by", "technicien", "--label", "A-12")
    done = run(house, *words, "--photo", str(house / "prise.jpg"), "--json")
    (photo,) = (house / "state" / "photos").iterdir()
    assert json.loads(done.stdout)["photo"] == photo.stem
    assert (photo.suffix, photo.read_bytes()) == (".jpg", IMAGE)
    for wrong in (
        ("answer", "QUE-99", "oui", "--by", "t"),
        ("answer", code, "peut-être", "--about", "siege", "--by", "t"),
        ("answer", code, "oui", "--about", "mars", "--by", "t"),
        ("answer", code, "oui", "--about", "siege"),
        ("answer", code, "oui", "--about", "siege", "--by", "t", "--on", "2099-01-01"),
        ("ask", "--about", "mars", "--by", "t"),
        ("ask", "--about", "siege"),
    ):
        assert run(house, *wrong).returncode == 2, wrong


def test_only_a_picture_of_a_bearable_size_is_kept(house: Path) -> None:
    """A pipe without a writer, an endless device, a folder, a text, a huge file: one clear error, at once, nothing kept."""
    os.mkfifo(house / "pipe")
    (house / "texte.jpg").write_text("rien")
    with (house / "grand.png").open("wb") as big:
        big.write(b"\x89PNG\r\n\x1a\n")
        big.truncate(20_000_001)
    words = ("answer", "QUE-10", "oui", "--about", "siege", "--by", "technicien", "--photo")
    for photo, code, said in (
        (house / "pipe", 2, "n'est pas un fichier"),
        ("/dev/zero", 2, "n'est pas un fichier"),
        (house, 6, "c'est un dossier"),
        (house / "texte.jpg", 2, "n'est ni une image ni un PDF"),
        (house / "grand.png", 2, "pèse plus de 20 Mo"),
        (house / "absente.jpg", 6, "n'existe pas"),
    ):
        done = run(house, *words, str(photo))
        assert (done.returncode, said in done.stderr) == (code, True), (photo, done.stderr)
    assert not (house / "state" / "photos").exists()
    questions = value(house, "checklist")["questions"]
    assert not [item for item in questions if item["answer"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("begins", "ending"),
    [
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"RIFF\n\0\0\0WEBP", ".webp"),
        (b"\0\0\0\x18ftypheic", ".heic"),
        (b"%PDF-1.4", ".pdf"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(tmp_path: Path, begins: bytes, ending: str) -> None:
    """Whatever its name; the kept file ends as what it is."""
    (tmp_path / "photo.txt").write_bytes(begins + b"suite")
    digest = kept(tmp_path / "photos", str(tmp_path / "photo.txt"))
    assert [item.name for item in (tmp_path / "photos").iterdir()] == [digest + ending]


def test_a_full_disk_keeps_no_half_of_a_photo(tmp_path: Path) -> None:
    """The reason is said, and what was begun is gone."""
    (tmp_path / "photo.jpg").write_bytes(IMAGE * 100)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(
            Unreachable, match=r"ne peut pas être gardé dans .* : la taille permise est dépassée"
        ):
            kept(tmp_path / "photos", str(tmp_path / "photo.jpg"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list((tmp_path / "photos").iterdir()) == []


@pytest.mark.parametrize("order", ["a\x1b[2Jb", "a\nb", "a\x9bb", "a\u202eb"])
def test_what_a_terminal_obeys_is_refused(house: Path, order: str) -> None:
    """Nobody writes over what another reads; the spaces of French typing are no orders."""
    looked(house)
    code, subject = next(key for key, item in points(house).items() if item["severity"] == "major")
    accept = ("accept", code, subject, "--until", _soon())
    answer = ("answer", "QUE-10", "oui", "--about", "siege")
    for words in (
        (*accept, "--by", order, "--why", "budget"),
        (*accept, "--by", "technicien", "--why", order),
        (*answer, "--by", order),
        (*answer, "--by", "technicien", "--label", order),
        ("restored", "archives", "--by", "technicien", "--label", order),
        ("ask", "--by", order),
    ):
        done = run(house, *words)
        assert (done.returncode, "caractère de commande" in done.stderr) == (2, True), words
    assert run(house, *accept, "--by", "technicien", "--why", "promis\u202f: été\xa0!").returncode == 0


def test_what_was_kept_before_is_shown_without_its_orders(house: Path) -> None:
    """A note of an older ledger may hold anything: no order of it reaches the terminal, nor a line that it forges."""
    looked(house)
    code, subject = next(key for key, item in points(house).items() if item["severity"] == "major")
    bad, today = "x\x1b[2J\nCOP-01 rien", datetime.now(UTC).date()
    ledger = open_ledger(house / "state")
    until = today + timedelta(days=9)
    ledger.audits.note(Acceptance(code, subject, bad, today, bad, until), datetime.now(UTC))
    ledger.audits.note(Said("QUE-10", "siege", True, bad, today, bad, "", until), datetime.now(UTC))
    ledger.audits.note(Said(RESTORED, "archives", True, bad, today, bad), datetime.now(UTC))
    ledger.close()
    for words in (("show", "--accepted"), ("checklist",), ("facts",)):
        said = run(house, *words).stdout
        assert "x\ufffd[2J\ufffdCOP-01 rien" in said, words
        assert "\x1b" not in said


def test_a_year_is_a_year(house: Path) -> None:
    """The same day next year, no day more; the last of February stays the last."""
    looked(house)
    code, subject = next(key for key, item in points(house).items() if item["severity"] == "major")
    words = ("accept", code, subject, "--by", "technicien", "--why", "budget", "--until")
    today = datetime.now(UTC).astimezone(ZoneInfo("Europe/Paris")).date()
    last = year_after(today)
    far = run(house, *words, (last + timedelta(days=1)).isoformat())
    assert (far.returncode, f"jusqu'au {last:%d/%m/%Y}" in far.stderr) == (2, True)
    assert run(house, *words, last.isoformat()).returncode == 0
    for day, then in (
        (date(2026, 11, 27), date(2027, 11, 27)),
        (date(2027, 11, 27), date(2028, 11, 27)),
        (date(2028, 2, 29), date(2029, 2, 28)),
    ):
        assert year_after(day) == then


def test_nobody_signs_for_another(house: Path) -> None:
    """Whoever withdraws an acceptance says so; a name that the plan does not know is accepted, and that is told."""
    looked(house)
    code, subject = next(key for key, item in points(house).items() if item["severity"] == "major")
    until = ("--until", _soon())
    assert "--until JOUR" in run(house, "accept", code, subject, "--by", "x", "--why", "budget").stderr
    told = run(house, "accept", code, subject, "--by", "Le voisin", "--why", "budget", *until)
    assert "« Le voisin » n'est pas un contact du plan" in told.stderr
    assert run(house, "accept", code, subject, "--withdraw").returncode == 2
    assert points(house)[code, subject]["standing"] == "accepted"
    withdrawn = run(house, "accept", code, subject, "--withdraw", "--by", "TECHNICIEN", "--json")
    assert withdrawn.stderr == ""
    assert json.loads(withdrawn.stdout)["by"] == "TECHNICIEN"


def test_an_answer_is_asked_again_within_its_own_length(house: Path) -> None:
    """Codes and words in any case; a day that has passed, or later than the question allows, is refused."""
    questions = value(house, "checklist")["questions"]
    assert isinstance(questions, list)
    code = next(item["question"] for item in questions if item["subject"] == "siege")
    words = ("answer", code.lower(), "Sans objet", "--about", "siege", "--by", "technicien")
    assert "déjà passé" in run(house, *words, "--until", "2020-01-01").stderr
    far = run(house, *words, "--until", "2099-01-01")
    assert (far.returncode, "se redemande au plus tard le" in far.stderr) == (2, True)
    done = run(house, *words, "--until", _soon(), "--json")
    assert (done.returncode, json.loads(done.stdout)["until"]) == (0, _soon())
    assert json.loads(run(house, "answer", code, "NON", *words[3:], "--json").stdout)["good"] is False


def test_a_folder_without_a_ledger_holds_no_audit(house: Path) -> None:
    """What only reads refuses a mistyped folder, there or not, and makes nothing in it."""
    absent, empty = house / "faute" / "de-frappe", house / "vide"
    empty.mkdir()
    for folder in (absent, empty):
        for words in (("list",), ("show",), ("facts",), ("checklist",), ("import",)):
            said = run(house, *words, "--state", str(folder))
            assert (said.returncode, f"aucun audit n'est gardé dans le dossier {folder}" in said.stderr) == (
                2,
                True,
            ), words
    assert not absent.parent.exists()
    assert list(empty.iterdir()) == []


def test_a_restoration_made_by_hand_counts_and_a_failed_one_does_not(house: Path) -> None:
    """Data that nobody ever brought back are a weak point until somebody does; the last try stands."""
    (house / "copy" / "a.txt").write_text("rien")
    looked(house)
    words = ("restored", "archives", "--by", "technicien")
    assert ("COP-05", "archives") in points(house)
    assert run(house, *words, "--on", "2026-01-15", "--failed").returncode == 0
    assert "15/01/2026, a échoué" in points(house)["COP-05", "archives"]["sentence"]
    assert run(house, *words, "--label", "a.txt relu en 2 min").returncode == 0
    assert ("COP-05", "archives") not in points(house)
    (told,) = value(house, "facts", "--only", "copies")["restored_by_hand"]  # type: ignore[misc]
    assert (told["subject"], told["by"], told["label"]) == ("archives", "technicien", "a.txt relu en 2 min")
    assert "à la main, dit technicien" in run(house, "facts").stdout
    assert run(house, *words, "--on", "2099-01-01").returncode == 2
    assert run(house, "restored", "mars", "--by", "technicien").returncode == 2
    assert run(house, "restored", "archives").returncode == 2


def test_the_plan_is_edited_only_when_asked_and_kept_as_it_was(house: Path) -> None:
    """Without `--write` the file stays; with it, the text before stands beside, comments included."""
    text = (house / "plan.yaml").read_text()
    before = text.replace("reach: local}", "reach: local, kind: workstation}")
    (house / "plan.yaml").write_text(before)
    looked(house)
    assert run(house, "import").stdout.startswith("rien à ajouter")
    ledger = open_ledger(house / "state")
    (audit,) = ledger.audits.all()
    seen = Documents("serveur", "/home", (Tally("pdf", 3, 900),))
    look = Look(Errand(Topic.DOCUMENTS, "serveur", "siege"), audit.started, 0.1, (seen,))
    ledger.audits.keep(audit.id, look)
    ledger.close()
    assert "documents-serveur-home" in run(house, "import").stdout
    assert (house / "plan.yaml").read_text() == before
    assert run(house, "import", "--only", "mars").returncode == 2
    assert run(house, "import", "--write").returncode == 0
    assert (house / "plan.yaml.avant-audit").read_text() == before
    assert "# la seule machine" in (house / "plan.yaml").read_text()
    assert run(house, "import").stdout.startswith("rien à ajouter")
    (house / "plan.yaml").write_text(before + "# plus tard\n")
    again = run(house, "import", "--write")
    assert "plan.yaml.avant-audit-2 (mv le remet)" in again.stdout
    assert (house / "plan.yaml.avant-audit").read_text() == before


def keys(found: object) -> set[tuple[str, str]]:
    """(code, subject) of what a trend lists."""
    assert isinstance(found, list)
    return {(code, subject) for code, subject in found}


def test_a_part_looked_at_again_forgets_nothing(house: Path) -> None:
    """After an audit of the files alone, the copy that was missing is still missing, and still fails the pipeline."""
    looked(house)
    before = set(points(house))
    assert ("COP-01", "archives") in before
    assert run(house, "run", "--only", "files", "--new").returncode == 0
    trend = value(house, "show")["trend"]
    assert isinstance(trend, dict)
    assert keys(trend["kept"]) == before == set(points(house))
    assert trend["new"] == trend["mended"] == trend["unseen"] == []
    assert run(house, "show", "--fail-on", "critical").returncode == 3
    assert "1 regard date d'un audit d'avant" in run(house, "show").stdout


def test_what_was_mended_is_said_to_be(house: Path) -> None:
    """In the world, in the plan, or by an answer: what the next audit no longer finds is mended."""
    looked(house)
    (house / "copy" / "a.txt").write_text("rien")
    text = (house / "plan.yaml").read_text()
    other = 'contacts: [{id: directrice, name: Directrice, phone: "00 00 00 00 01"}, '
    (house / "plan.yaml").write_text(text.replace("contacts: [", other))
    run(house, "restored", "archives", "--by", "technicien")
    looked(house, "--new")
    trend = value(house, "show")["trend"]
    assert isinstance(trend, dict)
    assert {("COP-01", "archives"), ("HUM-03", "technicien")} <= keys(trend["mended"])
    first = value(house, "list")["audits"][-1]["audit"]  # type: ignore[index]
    old = value(house, "show", first)["weak_points"]
    assert ("HUM-03", "technicien") in {(item["code"], item["subject"]) for item in old}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("facts", "gap"),
    [
        ((), Gap("host-unreachable", "muette")),
        ((Documents("serveur", "/srv", ()),), Gap("folder-unreadable", "fermé", "/home")),
    ],
    ids=["silent", "in-part"],
)
def test_what_was_not_seen_again_is_never_forgotten(
    house: Path, facts: tuple[Documents, ...], gap: Gap
) -> None:
    """A machine that stays silent, or shows all but the folder: "not seen again" each time; at last mended, told once."""
    text = (house / "plan.yaml").read_text().replace("reach: local}", "reach: local, kind: workstation}")
    (house / "plan.yaml").write_text(text)
    looked(house)
    ledger = open_ledger(house / "state")
    (first,) = ledger.audits.all()
    errand = Errand(Topic.DOCUMENTS, "serveur", "siege")
    seen = Documents("serveur", "/home", (Tally("pdf", 30, 900),))
    ledger.audits.keep(first.id, Look(errand, first.started, 0.1, (seen,)))
    assert ("POS-10", "serveur") in points(house)
    was = ("POS-10", "serveur")
    told = []
    for number, gaps in enumerate(((gap,), (gap,), (gap,), (), ()), start=1):
        at = first.started + timedelta(hours=number)
        audit = dataclasses.replace(first, id=f"later-{number}", started=at, errands=(errand,), ended=at)
        ledger.audits.begin(audit)
        ledger.audits.keep(audit.id, Look(errand, at, 0.1, facts, gaps))
        trend = value(house, "show", audit.id)["trend"]
        assert isinstance(trend, dict)
        told.append([word for word in ("new", "kept", "mended", "unseen") if was in keys(trend[word])])
    assert told == [["unseen"], ["unseen"], ["unseen"], ["mended"], []]
    ledger.close()


def test_two_audits_of_one_second_are_two(house: Path) -> None:
    """Each has its name and its own looks."""
    for _time in range(3):
        looked(house, "--new")
    audits = value(house, "list")["audits"]
    assert isinstance(audits, list)
    assert len({one["audit"] for one in audits}) == 3
    assert {(one["looks"], one["planned"]) for one in audits} == {(2, 2)}


def test_one_look_is_one(house: Path) -> None:
    """A single look is not "1 regards"."""
    assert "1 regard sur 1, " in run(house, "run", "--only", "files").stdout


@pytest.mark.parametrize("words", [("list",), ("checklist",), ("facts",), ("show",)])
def test_everything_reads_on_sixty_columns(
    house: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider than the narrowest screen, and the name of an audit stays whole."""
    looked(house)
    (one,) = value(house, "list")["audits"]  # type: ignore[misc]
    run(house, "answer", "QUE-10", "oui", "--about", "siege", "--by", "technicien", "--label", "vu " * 30)
    for module in ("audit_notes", "audit_facts", "audit_show"):
        monkeypatch.setattr(f"releve.entrypoints.cli.{module}.columns", lambda: 60)
    said = run(house, *words).stdout
    # A folder of the tests has a long name: a path is folded, a subject that holds one is not.
    assert [line for line in said.splitlines() if len(line) > 60 and str(house) not in line] == []
    if words == ("list",):
        assert one["audit"] in said


def test_networks_wait_for_their_hours(house: Path) -> None:
    """Outside the plan's window no network is scanned: that is said, now and in the list of weak points."""
    text = (house / "plan.yaml").read_text()
    network = "networks: [{id: lan, name: Local, site: siege, range: 127.0.0.0/30}]\n"
    (house / "plan.yaml").write_text(text + network + "audit: {window: jamais-ouvert-ou-presque}\n")
    done = run(house, "run", "--only", "network", "--only", "files")
    assert "releve audit run --only network" in done.stderr
    (one,) = value(house, "list")["audits"]  # type: ignore[misc]
    assert (one["looks"], one["planned"], one["ended"] is not None) == (1, 1, True)
    shown = run(house, "show").stdout
    assert "pas encore regardé" in shown  # the network is no less unseen
    assert run(house, "run", "--only", "network").stdout.strip() == "rien d'autre à regarder"
    assert len(value(house, "list")["audits"]) == 1  # type: ignore[arg-type]


def test_bad_words_are_refused_with_what_is_known(house: Path) -> None:
    """Unknown topic, rule, site; a plan without a place for the ledger."""
    assert "network" in run(house, "run", "--only", "réseau").stderr
    assert run(house, "rules", "ZZZ-1").returncode == 2
    looked(house)
    assert run(house, "show", "--site", "mars").returncode == 2
    assert run(house, "run", "--site", "mars", "--only", "files").returncode == 2
    text = (house / "plan.yaml").read_text()
    (house / "plan.yaml").write_text(
        text.replace(f', worker: {{listen: "127.0.0.1:7401", state: {house}/state}}', "")
    )
    said = run(house, "run", "--only", "files")
    assert said.returncode == 2
    assert "--state" in said.stderr
    assert run(house, "run", "--only", "files", "--state", str(house / "ailleurs")).returncode == 0


def test_two_audits_at_once_are_one_too_many(house: Path) -> None:
    """The second is refused, and says who holds the place."""
    from releve.adapters.hosts.lock import hold

    with hold(house / "state" / "audit.lock", "releve audit"):
        said = run(house, "run", "--only", "files")
    assert said.returncode == 4
    assert "releve audit" in said.stderr


@pytest.mark.parametrize("sent", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.torture)])
def test_an_audit_cut_short_goes_on_where_it_was(house: Path, sent: signal.Signals) -> None:
    """Kill -9 or Ctrl-C while a machine is watched: what was seen stays, and the same command ends the audit."""
    (house / "plan.yaml").write_text((house / "plan.yaml").read_text() + "audit: {watch: 3 s, at_once: 4}\n")
    words = ["run", "--only", "files", "--only", "copies", "--only", "connections"]
    environment = {**os.environ, "RELEVE_PLAN": str(house / "plan.yaml")}
    program = [sys.executable, "-m", "releve", "audit", *words]
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as cut:
        assert cut.stderr is not None
        told = [cut.stderr.readline(), cut.stderr.readline()]  # the two quick looks are kept
        cut.send_signal(sent)
        cut.wait(timeout=20)
    assert all(" fait" in line for line in told), told
    assert cut.returncode == (130 if sent is signal.SIGINT else -9)
    (one,) = value(house, "list")["audits"]  # type: ignore[misc]
    assert (one["looks"], one["ended"]) == (2, None)
    done = run(house, *words)
    assert "est repris : 2 regards sur 3" in done.stderr
    (same,) = value(house, "list")["audits"]  # type: ignore[misc]
    assert (same["audit"], same["looks"], same["ended"] is not None) == (one["audit"], 3, True)


def _showed(house: Path, topic: Topic, fact: Fact) -> Look:
    """The first audit saw that of the machine as well."""
    ledger = open_ledger(house / "state")
    first = ledger.audits.all()[-1]
    errand = Errand(topic, "serveur", "siege")
    look = Look(errand, first.started, 0.1, (fact,))
    ledger.audits.keep(first.id, look)
    ledger.audits.begin(dataclasses.replace(first, errands=(*first.errands, errand)))
    ledger.close()
    return look


def test_a_look_that_the_plan_forbids_mends_nothing(house: Path) -> None:
    """What it had shown stays, with its date, in this audit and in those after; and it still stops the pipeline."""
    text = (house / "plan.yaml").read_text().replace("reach: local}", "reach: local, addresses: [127.0.0.9]}")
    lan = "networks: [{id: lan, name: Local, site: siege, range: 127.0.0.8/30}]\n"
    (house / "plan.yaml").write_text(text + lan)
    assert run(house, "run", "--only", "machine").returncode == 0
    old = System("serveur", "serveur", "debian", "9", "Debian 9 (essai)")
    _showed(house, Topic.MACHINE, old)
    assert ("POS-01", "serveur") in points(house)
    (house / "plan.yaml").write_text(text + lan.replace("/30}", "/30, audit: false}"))
    for _time in range(2):
        assert run(house, "run", "--only", "copies", "--new").returncode in {0, 3}
        trend = value(house, "show")["trend"]
        assert isinstance(trend, dict)
        assert ("POS-01", "serveur") in keys(trend["kept"])
        assert not {code for code, _subject in keys(trend["mended"])} & {"POS-01"}
        assert run(house, "show", "--fail-on", "critical").returncode == 3
    assert "1 regard que le plan ne demande plus" in run(house, "show").stdout
    assert "machine:serveur" in value(house, "show")["no_longer_asked"]  # type: ignore[operator]


def test_what_is_told_late_hides_nothing_known_since(house: Path) -> None:
    """An answer, or a restoration, of an earlier day does not replace a later one, and that is said."""
    words = ("--about", "siege", "--by", "technicien")
    run(house, "answer", "QUE-12", "non", *words)
    late = run(house, "answer", "QUE-12", "oui", *words, "--on", "2026-03-01")
    assert "reste en vigueur" in late.stdout
    questions = value(house, "checklist")["questions"]
    (said,) = [
        one["answer"]["good"] for one in questions if (one["question"], one["subject"]) == ("QUE-12", "siege")
    ]  # type: ignore[attr-defined]
    assert said is False
    assert (
        "la question reste posée"
        in run(house, "answer", "QUE-12", "oui", *words, "--on", "2020-01-01").stdout
    )
    (house / "copy" / "a.txt").write_text("rien")
    looked(house)
    run(house, "restored", "archives", "--by", "technicien", "--failed")
    assert (
        "reste en vigueur"
        in run(house, "restored", "archives", "--by", "technicien", "--on", "2026-06-01").stdout
    )
    assert "a échoué" in points(house)["COP-05", "archives"]["sentence"]


def test_a_point_not_seen_again_counts_and_can_be_lived_with(house: Path) -> None:
    """It is in the head of the page and in the JSON, and stops the pipeline by itself, until it is accepted."""
    looked(house)
    ledger = open_ledger(house / "state")
    first = ledger.audits.all()[0]
    later = dataclasses.replace(first, id="plus-tard", started=first.started + timedelta(seconds=1))
    ledger.audits.begin(later)
    lost = Gap("host-unreachable", "muette")
    for errand in first.errands:
        ledger.audits.keep(later.id, Look(errand, later.started, 0.1, (), (lost,)))
    more = "  - {id: paie, name: Paie, engine: files, host: serveur, path: /p, copies: [{site: foyer, host: serveur, path: /x}]}\n"
    with (house / "plan.yaml").open("a") as file:
        file.write(more)
    copy = Copy("paie", "folder", "foyer", found=True, at=later.started)
    for errand in errands(
        read_plan(str(house / "plan.yaml")), "foyer"
    ):  # no rule is blind: all else was looked at
        if errand.subject != "archives":
            facts = (copy,) if errand.topic is Topic.COPIES else ()
            ledger.audits.keep(later.id, Look(errand, later.started, 0.1, facts))
    ledger.close()
    assert "connu d'avant et pas revu : 1 critique" in run(house, "show").stdout
    (again,) = value(house, "show")["not_seen_again"]  # type: ignore[misc]
    assert (again["code"], again["standing"]) == ("COP-01", "open")
    gate = run(house, "show", "--fail-on", "critical")
    assert (gate.returncode, "--fail-on :" in gate.stdout) == (3, False)
    who = ("--by", "technicien", "--why", "copie refaite lundi", "--until", _soon())
    assert run(house, "accept", "COP-01", "archives", *who).returncode == 0
    (again,) = value(house, "show")["not_seen_again"]  # type: ignore[misc]
    assert again["standing"] == "accepted"
    assert run(house, "show", "--fail-on", "critical").returncode == 0


def test_a_clock_that_was_wrong_for_one_audit_hides_nothing_met_before(house: Path) -> None:
    """A stranger met ten days ago is not forgotten behind an audit that says it is of two years ago."""
    looked(house)
    ledger = open_ledger(house / "state")
    now = ledger.audits.all()[0]
    errand = Errand(Topic.CONNECTIONS, "serveur", "siege")
    stranger = Connection("serveur", "tcp", "127.0.0.1", "203.0.113.9", 443, outgoing=True, times=1)
    for name, days, facts in (
        ("vu", 10, (stranger,)),
        ("faux", 800, ()),
        ("muet", 0, ()),
        ("dernier", 0, ()),
    ):
        at = now.started - timedelta(days=days)
        ledger.audits.begin(dataclasses.replace(now, id=name, started=at, errands=(errand,), ended=at))
        ledger.audits.keep(name, Look(errand, at, 0.1, facts))
    ledger.close()
    again = value(house, "show")["not_seen_again"]
    assert "ECH-02" in {one["code"] for one in again}  # type: ignore[attr-defined]
    shown = run(house, "show", "--map", str(house / "a.svg")).stdout
    assert "[serveur→internet:443] (important)" in shown  # as `accept` wants it
    assert "point connu d'avant n'a pas été revu et n'est pas montré" in (house / "a.svg").read_text()


def test_a_defect_of_ours_tells_where_it_broke_and_nothing_that_was_read(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames and the type of what broke, and of what led to it: their messages may hold words of a document."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("sacha") from KeyError("camille")

    monkeypatch.setattr("releve.adapters.survey.files.inventory", broken)
    said = run(house, "run", "--only", "files")
    assert "KeyError\n" in said.stderr
    assert "ZeroDivisionError\n" in said.stderr
    assert ", in broken\n" in said.stderr
    assert "1 regard sur 1" in said.stdout
    assert "KeyError: " not in said.stderr
    assert "ZeroDivisionError: " not in said.stderr


def test_what_a_machine_says_does_not_order_the_terminal_of_an_audit(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words are told with a mark in place of each order."""

    def mean(*_: object, **__: object) -> None:
        raise Unreachable("host-unreachable", "la machine dit \x1b[2J")

    monkeypatch.setattr("releve.adapters.survey.files.inventory", mean)
    said = run(house, "run", "--only", "files")
    assert "pas vu, la machine dit \ufffd[2J" in said.stderr
    assert "\x1b" not in said.stderr
    assert "\x1b" not in run(house, "show").stdout


DATA = """\
data_sets:
  - id: dossiers
    name: Dossiers
    engine: postgresql
    kind: health
    sensitivity: critical
    protection: {mode: realtime, rpo: 0, transport: local}
    primary: {host: serveur, address: 127.0.0.1, port: 1, data_dir: /d1, bin_dir: /b,
              admin: {user: postgres}, service: {manager: systemd, unit: a.service}}
    relief: {host: autre, address: 127.0.0.1, port: 2, data_dir: /d2, bin_dir: /b,
             admin: {user: postgres}, service: {manager: systemd, unit: b.service}}
"""


def test_after_a_switch_the_relief_is_taken_for_the_holder(house: Path) -> None:
    """As the ledger that the audit is kept in says: planned there, and judged there."""
    text = (house / "plan.yaml").read_text() + DATA
    other = "hosts:\n  - {id: autre, site: foyer, reach: local}\n"
    (house / "plan.yaml").write_text(text.replace("hosts:\n", other))

    def sites() -> set[str]:
        found = value(house, "run", "--show", "--only", "base", "--only", "copies")["errands"]
        assert isinstance(found, list)
        return {item["site"] for item in found if item["subject"] == "dossiers"}

    assert sites() == {"siege"}
    open_ledger(house / "state").tenures.take(Tenure("dossiers", 1, "foyer", "r1", datetime.now(UTC)))
    assert sites() == {"foyer"}
    plan = read_plan(house / "plan.yaml")
    home = House(plan, plan.site("foyer"), house / "state")
    looked(house, "--without", "copies")
    estate = page(home, "").estate
    assert {one.site for one in estate.audit.errands if one.subject == "dossiers"} == {"foyer"}


def test_an_audit_of_the_future_is_neither_taken_up_nor_shown_for_ever(house: Path) -> None:
    """The clock was 400 days ahead, and was put right: the next audit is a new one, and the one that is shown."""
    looked(house)
    ledger = open_ledger(house / "state")
    (first,) = ledger.audits.all()
    ahead = first.started + timedelta(days=400)
    ledger.audits.begin(dataclasses.replace(first, id="ahead", started=ahead, ended=None))
    ledger.close()
    done = run(house, "run", "--only", "files", "--only", "copies")
    assert (
        "l'audit ahead n'est pas fini ; celui-ci est neuf, car l'autre est daté de plus tard" in done.stderr
    )
    shown = value(house, "show")["audit"]
    assert shown not in {"ahead", first.id}
    listed = value(house, "list")["audits"]
    assert isinstance(listed, list)
    assert [item["audit"] for item in listed] == [shown, "ahead", first.id]


def test_what_a_crash_kept_from_the_chain_of_evidence_is_put_there_by_the_next_command(house: Path) -> None:
    """An end of an audit, an acceptance, a withdrawal: each written in the ledger, and no further."""
    looked(house)
    ledger = open_ledger(house / "state")
    (first,) = ledger.audits.all()
    ledger.audits.begin(dataclasses.replace(first, id="cut", ended=None))
    ledger.audits.end("cut", datetime.now(UTC))
    code, subject = next(iter(points(house)))
    today = date.today()  # noqa: DTZ011 (any day will do)
    note = Acceptance(code, subject, "technicien", today, "vu", today + timedelta(days=30))
    ledger.audits.note(note, datetime.now(UTC))
    ledger.audits.note(dataclasses.replace(note, withdrawn=True), datetime.now(UTC))

    def proofs() -> list[str]:
        return [entry.kind for entry in ledger.evidence.entries()]

    assert proofs() == ["audit"]
    again = run(house, "accept", code, subject, "--withdraw", "--by", "technicien")
    assert again.returncode == 2
    assert proofs() == ["audit", "audit-acceptance", "audit-acceptance"]
    run(house, "run", "--only", "files", "--only", "copies")
    assert ledger.evidence.entries()[3].body["audit"] == "cut"
    assert proofs()[3:] == ["audit", "audit"]
    run(house, "accept", code, subject, "--withdraw", "--by", "technicien")
    assert len(proofs()) == 5


def test_every_note_has_one_entry_in_whatever_order_they_came(house: Path) -> None:
    """Two people at once: the later note was proved first. The same words said again are a note of their own."""
    words = ("answer", "QUE-12", "--about", "siege", "--by", "technicien")
    run(house, *words[:2], "oui", *words[2:])
    ledger = open_ledger(house / "state")
    (first,) = ledger.audits.notes()
    assert isinstance(first, Said)
    (entry,) = ledger.evidence.entries()
    later = dataclasses.replace(first, good=False)
    for note in (dataclasses.replace(first, by="directrice"), later):
        ledger.audits.note(note, datetime.now(UTC))
    ledger.evidence.append("audit-answer", {**entry.body, "good": False}, datetime.now(UTC))

    def proved() -> list[tuple[object, object]]:
        return [(one.body["by"], one.body["good"]) for one in ledger.evidence.entries()]

    for given in ("oui", "oui", "non"):  # again as at first, the very same, another
        run(house, *words[:2], given, *words[2:])
    who = "technicien"
    assert proved() == [(who, True), (who, False), ("directrice", True), (who, True), (who, False)]


def test_a_plan_that_changed_since_it_was_read_is_not_looked_at(house: Path) -> None:
    """The audit would keep a text that nobody judged: refused, to be tried again, and nothing is begun."""
    plan = read_plan(house / "plan.yaml")
    home = House(plan, plan.site("foyer"), house / "state")
    with (house / "plan.yaml").open("a") as text:
        text.write("# corrigé pendant ce temps\n")
    with pytest.raises(Refused) as caught:
        audit_run.run(home, ["files"], [], anew=False)
    assert (caught.value.code, caught.value.retryable) == ("plan-changed", True)
    assert home.ledger.audits.all() == []


def test_each_network_is_scanned_only_while_the_window_is_open(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again before each scan, of the clock of that moment: an audit may outlast its window."""
    text = (house / "plan.yaml").read_text() + (
        "networks: [{id: lan, name: Réseau, site: siege, range: 127.0.0.0/30}]\n"
        "audit: {window: jamais-ouvert-ou-presque}\n"
    )
    (house / "plan.yaml").write_text(text)
    plan = read_plan(house / "plan.yaml")
    said: list[bool] = []

    def scan(*_: object, may: Callable[[], bool], **__: object) -> Found:
        said.append(may())
        return Found()

    monkeypatch.setattr("releve.adapters.survey.network.scan", scan)
    hours = iter([datetime(2026, 10, 5, 1, 0, 30, tzinfo=UTC), datetime(2026, 10, 5, 1, 2, tzinfo=UTC)])
    see = surveyor(House(plan, plan.site("foyer"), house / "state"), lambda _: None, lambda: next(hours))
    for _ in range(2):
        see(Errand(Topic.NETWORK, "lan", "siege"))
    assert said == [True, False]


def test_what_would_be_looked_at_is_said_without_the_ledger_that_cannot_be_read(house: Path) -> None:
    """Where nobody can say what moved, that is told, and the plan still says the rest."""
    (house / "state" / "ledger.sqlite3").write_bytes(b"no ledger" * 1000)
    said = run(house, "run", "--show")
    assert said.returncode == 0
    assert "archives" in said.stdout
    assert "le registre n'est pas lu : " in said.stderr
