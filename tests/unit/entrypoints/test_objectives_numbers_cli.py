"""`releve objectives choose, curve, predict, compare` and `releve what-if` as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from xml.etree import ElementTree as ET

import pytest

from releve.adapters.ledger import open_ledger
from releve.domain.incident import Incident
from tests.commands import here

EXAMPLE = Path(__file__).parents[3] / "examples/quarante"
BEGAN = datetime(2026, 6, 1, 8, tzinfo=UTC)
READING = [
    ("objectives", "check"),
    ("objectives", "show"),
    ("objectives", "priorities"),
    ("objectives", "compare"),
    ("objectives", "choose", "--no-why"),
    ("objectives", "curve", "dui"),
    ("objectives", "predict", "--draws", "100", "-s", "S03"),
    ("what-if", "srv-dui down", "--at", "2026-11-30T10:00"),
]
SEARCHING = [READING[4], READING[6], READING[7]]  # a solver or draws
LEDGER = [READING[3], READING[6], READING[7]]  # what was measured


@pytest.fixture
def forty(tmp_path: Path) -> Path:
    """A copy of the example whose sites keep their state below it."""
    folder = tmp_path / "quarante"
    copytree(EXAMPLE, folder)
    change(folder, "plan.yaml", "/var/lib/releve", str(tmp_path / "etat"))
    return folder


def change(folder: Path, name: str, old: str, new: str) -> None:
    """Write something else in a file of the copy; what was there must have been."""
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")


def without(folder: Path, section: str) -> None:
    """Take a section out of the objectives file."""
    kept, dropping = [], False
    for line in (folder / "objectifs.yaml").read_text(encoding="utf-8").splitlines(keepends=True):
        if line[:1].isalpha():
            dropping = line.startswith(f"{section}:")
        if not dropping:
            kept.append(line)
    (folder / "objectifs.yaml").write_text("".join(kept), encoding="utf-8")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command on the copy."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RELEVE_") and name != "DATABASE_URL"
    }
    return here([*words, "--plan", str(folder / "plan.yaml")], clean)


def value(folder: Path, *words: str, code: int = 0) -> dict[str, object]:
    """What the command says in JSON: one document on standard output, and that exit code."""
    done = run(folder, *words, "--json")
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert isinstance(found, dict)
    return found


def tree(folder: Path) -> Mapping[str, bytes]:
    """Every file below the folder, with its content."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_only_reads_leaves_nothing_on_disk(forty: Path, words: tuple[str, ...]) -> None:
    """Neither a file, nor a folder, nor a change: not beside the plan and not where the ledger would be."""
    root = forty.parent
    before, names = tree(root), sorted(root.rglob("*"))
    done = run(forty, *words)
    assert done.returncode in {0, 3}, done.stderr
    assert sorted(root.rglob("*")) == names
    assert tree(root) == before


@pytest.mark.parametrize("words", SEARCHING, ids=" ".join)
def test_the_same_words_give_the_same_document(forty: Path, words: tuple[str, ...]) -> None:
    """Repeatability is real, to the last digit."""
    first = run(forty, *words, "--json")
    assert first.returncode in {0, 3}
    assert run(forty, *words, "--json").stdout == first.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("objectives", "predict", "--draws", "200", "-s", "S03"),
        pytest.param(("what-if", "srv-dui down", "--at", "2026-11-30T10:00"), marks=pytest.mark.torture),
    ],
    ids=" ".join,
)
def test_a_seed_gives_its_figures_again_and_another_draws_others(forty: Path, words: tuple[str, ...]) -> None:
    """The text and the document say which draws; without one, the documented draws."""
    usual, same, other = (value(forty, *words, "--seed", seed) for seed in ("20260101", "20260101", "7"))
    assert value(forty, *words) == usual == same
    assert (usual["seed"], other["seed"]) == (20_260_101, 7)
    assert usual != {**other, "seed": 20_260_101}
    assert "--seed 7 redonne ces chiffres" in run(forty, *words, "--seed", "7").stdout


@pytest.mark.parametrize("seed", ["-1", "2000000001", "x"])
def test_a_seed_that_no_draw_takes_is_refused(forty: Path, seed: str) -> None:
    """Before anything is computed, and never as a fault of ours."""
    assert run(forty, "what-if", "srv-dui down", "--seed", seed).returncode == 2


def test_a_choice_says_what_it_buys_and_that_it_is_proven(forty: Path) -> None:
    """Every purchase with its price, the total, the gap."""
    found = value(forty, "objectives", "choose", "--no-why")
    assert found["proven"] is True
    assert "tiendrait" in run(forty, "objectives", "choose", "--no-why").stdout


def test_without_prices_nothing_is_chosen(forty: Path) -> None:
    """No price has a default: the file must say them."""
    without(forty, "arbitrations")
    without(forty, "prices")
    for words in (("objectives", "choose"), ("objectives", "curve", "dui")):
        done = run(forty, *words)
        assert (done.returncode, "[prices-missing]" in done.stderr) == (2, True), done.stderr
    assert value(forty, "objectives", "check", code=3)["unreachable"] == []


def unreachable(forty: Path) -> None:
    """A person settles an outage that nothing offered can keep."""
    change(
        forty,
        "objectifs.yaml",
        "settled:\n",
        "settled:\n"
        "  - {application: paie, establishment: siege, rto: 1 s, by: directrice, on: 2026-11-01, why: essai}\n",
    )


def test_wishes_that_cannot_all_be_kept_are_exit_three_with_a_set_of_which_each_can_go(forty: Path) -> None:
    """The conflict names the wish, who made it, and the best that can be had."""
    unreachable(forty)
    for words in (("objectives", "choose"), ("objectives", "curve", "dui")):
        found = value(forty, *words, code=3)
        cores = found["cores"]
        assert isinstance(cores, list)
        assert [[item["id"] for item in core] for core in cores] == [["paie:rto"]]
        assert cores[0][0]["best_seconds"] > 1
        assert "directrice" in cores[0][0]["sentence"]
    assert "À lui seul" in run(forty, "objectives", "choose").stdout


def test_what_no_purchase_keeps_is_named_by_the_check_where_it_is_written(forty: Path) -> None:
    """File, line and column of the settled need."""
    unreachable(forty)
    text = (forty / "objectifs.yaml").read_text(encoding="utf-8")
    line = text[: text.index("{application: paie, establishment: siege, rto: 1 s")].count("\n") + 1
    done = run(forty, "objectives", "check")
    assert done.returncode == 3
    assert f"{forty}/objectifs.yaml:{line}:5: objective-unreachable: " in done.stdout
    (fault,) = value(forty, "objectives", "check", code=3)["unreachable"]  # type: ignore[misc]
    assert (fault["line"], fault["column"], fault["code"]) == (line, 5, "objective-unreachable")


def test_what_an_answer_asks_out_of_reach_is_named_in_its_file(forty: Path) -> None:
    """No machine waits ready any more: each answer that asks for one is named at its own line."""
    change(forty, "objectifs.yaml", "rto: 2 min, initial: 900", "rto: 20 h, initial: 900")
    change(forty, "objectifs.yaml", "rto: 25 min, initial: 400", "rto: 21 h, initial: 400")
    faults = value(forty, "objectives", "check", code=3)["unreachable"]
    assert isinstance(faults, list)
    assert faults
    for fault in faults:
        assert fault["file"].startswith(str(forty / "reponses"))
        source = Path(fault["file"]).read_text(encoding="utf-8").splitlines()
        assert "- application: " in source[fault["line"] - 1]


def test_an_accepted_gap_is_not_out_of_reach_until_it_expires(forty: Path) -> None:
    """Who accepted it, until when; the day after, the need is whole again and the remark has its line."""
    unreachable(forty)
    accepted = (
        "arbitrations:\n  - {subject: paie, objective: rto, wanted: 1 s, accepted: 5 j, who: directrice, "
        "why: essai, decided_on: 2026-11-02, until: 2089-10-31}\n"
    )
    change(forty, "objectifs.yaml", "arbitrations:\n", accepted)
    assert value(forty, "objectives", "check", code=3)["unreachable"] == []
    change(forty, "objectifs.yaml", "until: 2089-10-31", "until: 2026-11-03")
    found = value(forty, "objectives", "check", code=3)
    assert found["unreachable"]
    remarks = found["remarks"]
    assert isinstance(remarks, list)
    (old,) = (item for item in remarks if item["code"] == "arbitration-expired")
    assert old["line"] > 1
    assert old["column"] > 1


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("initial: 6000", "initial: -6000", "price-negative"),
        ("only: [net]}", "only: [nett]}", "subject-unknown"),
        ("subject: teleg", "subject: telegg", "subject-unknown"),
        ("accepted: 24 h", "accepted: 0", "arbitration-no-gap"),
    ],
    ids=["negative price", "unknown subject of an offer", "unknown subject of a gap", "no gap"],
)
def test_a_fault_of_what_can_be_bought_has_its_line_and_column(
    forty: Path, old: str, new: str, code: str
) -> None:
    """`check` and `choose` say the same fault at the same place."""
    change(forty, "objectifs.yaml", old, new)
    text = (forty / "objectifs.yaml").read_text(encoding="utf-8")
    line = text[: text.index(new)].count("\n") + 1
    for words in (("objectives", "check"), ("objectives", "choose")):
        done = run(forty, *words)
        assert done.returncode == 2
        found = [text for text in done.stderr.splitlines() if f"objectifs.yaml:{line}:" in text]
        assert found, done.stderr
        assert int(found[0].split(":")[2]) > 1
        assert code in found[0]


def test_a_picture_is_written_whole(forty: Path) -> None:
    """An SVG that an XML reader reads, in place of the old one, and nothing beside it."""
    picture = forty.parent / "images" / "courbe.svg"
    picture.parent.mkdir()
    picture.write_text("old", encoding="utf-8")
    found = value(forty, "objectives", "curve", "dui", "--svg", str(picture))
    assert found["picture"] == str(picture)
    assert ET.fromstring(picture.read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314 — ours
    assert [path.name for path in picture.parent.iterdir()] == ["courbe.svg"]


def test_a_picture_that_cannot_be_written_is_said(forty: Path) -> None:
    """The place is a file: exit 6, no trace."""
    done = run(forty, "objectives", "curve", "dui", "--svg", str(forty / "plan.yaml" / "x.svg"))
    assert (done.returncode, "[not-written]" in done.stderr) == (6, True), done.stderr


def test_a_curve_of_nothing_is_bad_input(forty: Path) -> None:
    """An unknown application is named, with the nearest one, and nothing is said to be computed."""
    done = run(forty, "objectives", "curve", "duii")
    assert (done.returncode, "[subject-unknown]" in done.stderr) == (2, True)
    assert "vouliez-vous dire « dui » ?" in done.stderr
    assert "calcul" not in done.stderr


def test_without_a_relief_nothing_is_predicted(forty: Path) -> None:
    """What it has is not guessed."""
    without(forty, "relief")
    for words in (("objectives", "predict"), ("what-if", "srv-dui down")):
        done = run(forty, *words)
        assert (done.returncode, "[relief-missing]" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("objectives", "predict", "-s", "S99"), "scenario-unknown"),
        (("objectives", "predict", "--year", "1"), "year-unknown"),
        (("objectives", "predict", "--year", "2100"), "year-unknown"),
        (("what-if", "srv-dui explodes"), "what-if"),
        (("what-if", "srv-duii down"), "unknown-node"),
        (("what-if", "secours lost"), "hits-nothing"),
        (("what-if", "srv-dui down", "--at", "2099-01-01T10:00"), "year-unknown"),
        (("what-if", "srv-dui down", "--at", "2026-03-29T02:30"), "instant"),
        (("what-if", "srv-dui down", "--at", "demain"), "instant"),
    ],
    ids=lambda item: item if isinstance(item, str) else " ".join(item),
)
def test_what_cannot_be_asked_is_bad_input(forty: Path, words: tuple[str, ...], code: str) -> None:
    """Exit 2, a code, a hint, and no trace."""
    done = run(forty, *words)
    assert (done.returncode, f"[{code}]" in done.stderr) == (2, True), done.stderr
    assert "conseil :" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_prediction_in_json_has_each_application_and_each_scenario(forty: Path) -> None:
    """Chances between nothing and certainty, losses a year where somebody said how often."""
    found = value(forty, "objectives", "predict", "--draws", "400", "-s", "S03", "-s", "S11")
    rows, told = found["applications"], found["scenarios"]
    assert isinstance(rows, list)
    assert isinstance(told, list)
    assert len(rows) == 40
    assert [(item["scenario"], item["per_year"]) for item in told] == [("S03", 0.3), ("S11", None)]
    assert all(row["kept"] is None or 0 <= row["kept"] <= 1 for row in rows)
    assert all(line["loss_per_year"] is None for line in told[1]["applications"])
    assert "S11" in run(forty, "objectives", "predict", "--draws", "100", "-s", "S03", "-s", "S11").stdout


def test_a_change_is_shown_beside_what_it_changes(forty: Path) -> None:
    """With one more person and without, in one document."""
    words = ("what-if", "srv-dui down", "--at", "2026-11-30T10:00")
    alone = value(forty, *words)
    beside = value(forty, *words, "--people", "1", "--relief-times", "2")
    assert "without_change" not in alone
    assert beside["without_change"] == alone
    assert "sans la personne de plus" in run(forty, *words, "--people", "1").stdout
    useless = value(forty, "what-if", "tel down", "--second-link")["changes_nothing"]
    assert isinstance(useless, list)
    assert "Un second lien ne change rien ici" in useless[0]


def test_means_that_would_hold_it_are_shown_where_those_of_today_do_not(forty: Path) -> None:
    """A relief too small is refused; twenty times larger it is answered, with what is refused today."""
    change(forty, "objectifs.yaml", "memory: 256 Go", "memory: 16 Go")
    words = ("what-if", "principal lost", "--at", "2026-11-30T10:00")
    assert "[relief-too-small]" in run(forty, *words).stderr
    found = value(forty, *words, "--relief-times", "20")
    assert found["without_change"] is None
    assert "mémoire" in str(found["without_change_refused"])
    assert run(forty, *words, "--relief-times", "20").stdout.startswith(
        "Sans le secours 20 fois plus grand : le secours"
    )


def test_the_two_instants_of_an_hour_that_comes_twice_are_told_apart(forty: Path) -> None:
    """In October, 02:30 with its offset: an hour between the two."""
    at = [
        datetime.fromisoformat(
            str(value(forty, "what-if", "srv-dui down", "--at", f"2026-10-25T02:30{zone}")["at"])
        )
        for zone in ("+02:00", "+01:00")
    ]
    assert at[1] - at[0] == timedelta(hours=1)


def test_an_hour_that_names_no_one_instant_is_answered_with_two_that_do(forty: Path) -> None:
    """The hint is what to type, not the format again."""
    for at, hint in (
        ("2026-10-25T02:30", "écrivez 2026-10-25T02:30+02:00 ou 2026-10-25T02:30+01:00"),
        ("2026-03-29T02:30", "écrivez 2026-03-29T01:59+01:00 ou 2026-03-29T03:00+02:00"),
    ):
        done = run(forty, "what-if", "srv-dui en panne", "--at", at)
        assert done.returncode == 2
        assert f"conseil : {hint}" in done.stderr


def remember(forty: Path, *incidents: Incident) -> None:
    """A ledger at the relief that holds these incidents."""
    state = forty.parent / "etat"
    state.mkdir()
    ledger = open_ledger(state)
    for incident in incidents:
        ledger.incidents.save(incident)


def test_an_outage_that_the_ledger_knows_is_compared(forty: Path) -> None:
    """Two hours without the record are two hours beside its need; the rest stays never proven."""
    back = {"dui": BEGAN + timedelta(hours=2)}
    remember(forty, Incident("i1", "principal", "panne", "technicien", BEGAN, BEGAN, back["dui"], back))
    lines = value(forty, "objectives", "compare")["lines"]
    assert isinstance(lines, list)
    mine = [line for line in lines if line["application"] == "dui"]
    assert mine
    for line in mine:
        assert line["measure"]["rto_seconds"] == 7200.0
        assert line["measure"]["incident"] == "i1"
        assert line["band"] != "never"
    assert all(line["band"] == "never" for line in lines if line["application"] != "dui")


def test_a_prediction_beside_a_ledger_is_made_of_what_it_knows(forty: Path) -> None:
    """The ledger is there and knows nothing of a switch: the same figures as without it."""
    words = ("objectives", "predict", "--draws", "100", "-s", "S03")
    before = value(forty, *words)
    remember(forty)
    assert value(forty, *words) == before


@pytest.mark.parametrize("words", LEDGER, ids=" ".join)
def test_with_two_relief_sites_what_only_reads_still_answers(forty: Path, words: tuple[str, ...]) -> None:
    """No single ledger to read: nothing is measured, that is said, and the figures are given."""
    change(
        forty,
        "plan.yaml",
        "# Les machines, et comment",
        "  - {id: secours2, name: Second secours, role: relief}\n\n# Les machines, et comment",
    )
    done = run(forty, *words)
    assert done.returncode in {0, 3}, done.stderr


@pytest.mark.parametrize("words", LEDGER, ids=" ".join)
def test_a_ledger_that_is_read_stays_as_it_was(forty: Path, words: tuple[str, ...]) -> None:
    """Beside a ledger too: what it holds does not change, and nothing is added to it."""
    remember(forty)
    kept = {name: data for name, data in tree(forty.parent).items() if not name.endswith(("-wal", "-shm"))}
    assert run(forty, *words).returncode in {0, 3}
    after = {name: data for name, data in tree(forty.parent).items() if not name.endswith(("-wal", "-shm"))}
    assert after == kept


def test_a_picture_makes_no_folder(forty: Path) -> None:
    """A missing folder is refused before anything is computed, and is not made."""
    place = forty.parent / "absent" / "courbe.svg"
    found = run(forty, "objectives", "curve", "dui", "--svg", str(place))
    assert found.returncode == 2
    assert "folder-missing" in found.stderr
    assert not place.parent.exists()
