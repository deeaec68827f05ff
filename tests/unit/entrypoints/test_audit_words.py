"""What `releve audit` says while it works, and of what goes wrong."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from releve.adapters.hosts.lock import hold
from releve.adapters.ledger import open_ledger
from releve.domain.audit import Audit, Errand, Gap, Look, Topic
from releve.domain.seen import Documents
from releve.entrypoints.cli import audit_notes
from releve.entrypoints.cli.audit_places import audit_house
from releve.entrypoints.cli.audit_progress import bar, told
from releve.entrypoints.cli.telling import outcome
from tests.unit.entrypoints.test_audit_cli import house, looked, run, value

__all__ = ["house"]
AT = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
FACT = Documents("serveur", "/srv", ())
SILENT = Gap("host-unreachable", "la machine [serveur] ne répond pas")


def errand(number: int) -> Errand:
    """A look at a machine with a long name."""
    return Errand(Topic.SENSITIVE, f"serveur-des-dossiers-du-siege-{number}", "siege")


@pytest.mark.parametrize("width", [60, 80, 110])
def test_the_bar_its_count_and_its_clock_are_whole(width: int) -> None:
    """However long the names of what is looked at: they take what is left of one line, the newest first."""
    page = io.StringIO()
    with bar(13, Console(width=width, force_terminal=True, file=page)) as (begun, done):
        for number in range(9):
            begun(errand(number))
        done(Look(errand(0), AT, 3.9, (), (SILENT,)))
        done(Look(errand(1), AT, 3.9, (FACT,)))
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", page.getvalue()))
    assert max(len(line) for line in lines) <= width
    last = [line for line in lines if line.strip()][-1]
    assert re.match(r"[━╸╺]{20}  2/13 0:00:\d\d serveur-des-dossi", last)
    assert last.endswith("…")
    assert width < 80 or "siege-8 : " in last
    shown = " ".join(page.getvalue().split())
    assert f"{errand(0).subject} : pas vu, la machine [serveur] ne répond pas" in " ".join(
        line.strip() for line in lines
    ), shown
    assert "pas vu" not in last


@pytest.mark.parametrize(
    ("facts", "gaps", "end"),
    [
        ((), (SILENT,), "pas vu, la machine [serveur] ne répond pas (3,9 s)"),
        ((), (Gap("a", "muette", "prises"), Gap("a", "muette", "voisins")), "pas vu, muette (3,9 s)"),
        ((FACT,), (SILENT,), "pas vu, la machine [serveur] ne répond pas (3,9 s)"),
        ((FACT,), (Gap("a", "muette", "x"), Gap("a", "y", "z")), "1 fait, 2 parties non vues (3,9 s)"),
        ((), (), "0 fait (3,9 s)"),
        ((), (Gap("a", "x\x1b[2J"),), "pas vu, x\ufffd[2J (3,9 s)"),
    ],
)
def test_a_look_that_saw_nothing_says_why(
    facts: tuple[Documents, ...], gaps: tuple[Gap, ...], end: str
) -> None:
    """Its reason, each once, and not "0 fait"; what a part lacked is counted."""
    look = Look(Errand(Topic.PORTS, "poste", "siege"), AT, 3.9, facts, gaps)
    assert told(look) == f"ports        poste : {end}"


def test_what_would_be_looked_at_needs_no_ledger(house: Path) -> None:
    """The dry run reads the plan alone: without a ledger it works, and makes nothing."""
    text = (house / "plan.yaml").read_text()
    worker = f', worker: {{listen: "127.0.0.1:7401", state: {house}/state}}'
    assert worker in text
    (house / "plan.yaml").write_text(text.replace(worker, ""))
    before = sorted(house.rglob("*"))
    for words in ((), ("--state", str(house / "ailleurs"))):
        said = run(house, "run", "--show", *words)
        assert (said.returncode, said.stderr) == (0, "")
        assert "archives" in said.stdout
    assert sorted(house.rglob("*")) == before
    assert run(house, "run", "--show", "--site", "mars").returncode == 2


def test_the_second_audit_is_told_of_the_first_at_the_hour_of_the_plan(house: Path) -> None:
    """Since when, in the plan's time zone, and what to do about an audit; JSON gives the same instant."""
    with hold(house / "state" / "audit.lock", "releve audit"):
        since = json.loads((house / "state" / "audit.lock").read_text())["since"]
        said = run(house, "run", "--only", "files")
        error = json.loads(run(house, "run", "--only", "files", "--json").stdout)["error"]
    local = datetime.fromisoformat(since).astimezone(audit_notes.ZoneInfo("Europe/Paris"))
    assert said.returncode == 4
    assert "un audit tourne déjà (processus " in said.stderr
    assert f"depuis le {local:%d/%m/%Y à %H:%M:%S})" in said.stderr
    assert "UTC" not in said.stderr
    assert "worker" not in said.stderr
    assert "« releve audit run » le reprend" in said.stderr
    assert datetime.fromisoformat(error["context"]["since"]) == local


def test_a_word_that_means_nothing_is_said_to(house: Path) -> None:
    """The prompt comes again with what was not understood, without what a terminal would obey."""
    asked = run(house, "ask", "--about", "siege", "--by", "technicien", stdin="peut-être\x1b[2J\no\n!\n")
    assert asked.stdout.startswith("1 réponse gardée")
    assert "« peut-être\ufffd[2j » n'a pas été compris : o (oui)" in asked.stderr


def test_answers_given_before_an_interruption_are_kept_and_counted(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C at the third question: two are kept, which is said; it ends like any other Ctrl-C."""
    typed = iter(["o\n", "n\n"])

    def read() -> str:
        for line in typed:
            return line
        raise KeyboardInterrupt

    home = audit_house(str(house / "plan.yaml"), "", "")
    assert outcome(False, lambda: audit_notes.ask(home, "siege", "technicien", read=read)) == 130
    assert "conseil : 2 réponses gardées, " in capsys.readouterr().err
    questions = value(house, "checklist")["questions"]
    assert isinstance(questions, list)
    assert len([item for item in questions if item["answer"]]) == 2


def test_a_restoration_is_told_in_words_that_agree(house: Path) -> None:
    """Whatever the data are called."""
    words = ("restored", "archives", "--by", "technicien", "--on", "2026-01-15")
    assert run(house, *words).stdout == "Archives : restauration réussie le 15/01/2026, par technicien\n"
    assert (
        run(house, *words, "--failed").stdout
        == "Archives : restauration échouée le 15/01/2026, par technicien\n"
    )


def test_one_addition_is_one(house: Path) -> None:
    """`--write l'écrit`; several: `les écrit`."""
    text = (house / "plan.yaml").read_text().replace("reach: local}", "reach: local, kind: workstation}")
    (house / "plan.yaml").write_text(text)
    looked(house)
    ledger = open_ledger(house / "state")
    (audit,) = ledger.audits.all()
    for number, end in enumerate(("1 ajout proposé ; releve audit import --write l'écrit,", "2 ajouts"), 1):
        folders = tuple(_documents(f"/home/{name}") for name in range(number))
        look = Look(Errand(Topic.DOCUMENTS, "serveur", "siege"), audit.started, 0.1, folders)
        later = dataclasses.replace(audit, id=f"later-{number}", errands=(look.errand,))
        ledger.audits.begin(later)
        ledger.audits.keep(later.id, look)
        assert end in run(house, "import").stdout
    ledger.close()


def _documents(folder: str) -> Documents:
    from releve.domain.seen import Tally

    return Documents("serveur", folder, (Tally("pdf", 3, 900),))


def test_a_severity_is_read_in_any_case_and_in_french(house: Path) -> None:
    """As a person writes it; the error says both words."""
    looked(house)
    for word in ("Major", "MAJOR", "important", "Important", "minor", "À corriger", "a corriger"):
        assert run(house, "show", "--fail-on", word).returncode == 3, word
    wrong = run(house, "show", "--fail-on", "grave")
    assert wrong.returncode == 2
    assert "critical (critique), major (important), minor (à corriger)" in wrong.stderr


def test_the_topics_are_named_where_they_are_chosen(house: Path) -> None:
    """`facts` has no `--show` that would name them."""
    said = " ".join(run(house, "facts", "--help").stdout.split())
    assert "--show" not in said
    assert "connections, copies" in said


def test_looks_are_counted_alike_in_the_list_and_on_the_page(house: Path) -> None:
    """Looks, not parts: what `list`, `show` and the end of `run` call seen is the same."""
    end = run(house, "run", "--only", "files", "--only", "copies").stdout
    assert "\nvu : 2 ; pas vu : 0\n" in end
    ledger = open_ledger(house / "state")
    (first,) = ledger.audits.all()
    kept = Audit("later", first.started, first.fingerprint, "ici", first.errands, first.started, first.site)
    ledger.audits.begin(kept)
    files, copies = first.errands
    ledger.audits.keep("later", Look(files, AT, 0.1, (), (Gap("a", "muette", "x"), Gap("a", "muette", "y"))))
    ledger.audits.keep("later", Look(copies, AT, 0.1, (FACT,), (Gap("a", "muette", "x"),)))
    ledger.close()
    found = {item["audit"]: item for item in value(house, "list")["audits"]}  # type: ignore[attr-defined]
    assert [found["later"][name] for name in ("planned", "seen", "not_seen", "parts_not_seen")] == [
        2,
        1,
        3,
        1,
    ]
    heads, _rule, *rows = run(house, "list").stdout.splitlines()
    assert re.split(r"  +", heads)[3:5] == ["vu", "pas vu"]
    assert any(re.search(r"later .* 1 +1  ici", row) for row in rows), rows


def test_the_smallest_plan_of_the_guide_can_be_audited(tmp_path: Path) -> None:
    """As it stands it is enough; without any of its first lines it is refused, without the last two nothing is looked at."""
    guide = Path(__file__).parents[3] / "docs" / "guides" / "audit.md"
    lines = guide.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0].splitlines(keepends=True)
    plan = tmp_path / "plan.yaml"
    plan.write_text("".join(lines))
    said = run(tmp_path, "run", "--show")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("4 regards, ")
    for number in range(5):
        plan.write_text("".join(lines[:number] + lines[number + 1 :]))
        assert "[plan-invalid]" in run(tmp_path, "run", "--show").stderr
    plan.write_text("".join(lines[:5]))
    assert "[audit-nothing]" in run(tmp_path, "run", "--show").stderr
