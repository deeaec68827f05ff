"""`releve objectives …` as it is typed: files, questions, exit codes, and what an interruption leaves."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree

import pytest

from tests.commands import here

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/quarante"
PLAN = EXAMPLE / "plan.yaml"
# SECU from 2 h, 4 h, 1 j; five criteria never; no period is graver; then the last questions.
WHY = "le traitement n'est plus sûr"
IMPACTS = ["2 h", "4 h", "24 h", *["jamais"] * 5]
ENDING = [WHY, "90 min", "oui", "soins", "400", "oui", "6,25", "1,25 Go"]
OBJECTIVES = """\
version: 1
establishments:
  - {id: ehpad, name: "EHPAD fictif", applications: [dui, mail]}
"""


def environment() -> dict[str, str]:
    """The variables of the test process, without those that say where the objectives are."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RELEVE_")}


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command in this process."""
    return here(["objectives", *words], environment(), stdin)


def started(
    *words: str, limits: Mapping[int, int] | None = None, errors: str = "strict"
) -> subprocess.Popen[str]:
    """The command as a process of its own, its input a pipe."""

    def limited() -> None:
        for name, size in (limits or {}).items():
            resource.setrlimit(name, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-m", "releve", "objectives", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "PYTHONIOENCODING": f"utf-8:{errors}"},
        preexec_fn=limited,  # noqa: PLW1509 — one thread here
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with the plan of the example, small objectives, and no answer yet."""
    (tmp_path / "plan.yaml").write_bytes(
        PLAN.read_bytes().replace(b"/var/lib/releve", bytes(tmp_path / "etat"))
    )
    (tmp_path / "objectifs.yaml").write_text(OBJECTIVES, encoding="utf-8")
    return tmp_path


def asks(house: Path, *, by: str = "infirmière", application: str = "dui") -> list[str]:
    """The words of one questionnaire."""
    return ["ask", application, "--by", by, "--on", "2026-10-05", "--plan", str(house / "plan.yaml")]


def typed(*lines: str) -> str:
    """What a person types, one line an answer."""
    return "".join(f"{line}\n" for line in lines)


def answers(house: Path, name: str = "dui-ehpad") -> list[dict[str, object]]:
    """The statements of a file of answers, as the product reads them."""
    shown = run("show", name.split("-", maxsplit=1)[0], "--plan", str(house / "plan.yaml"), "--json")
    assert shown.returncode == 0, shown.stderr
    return [voice for need in json.loads(shown.stdout)["needs"] for voice in need["voices"]]


def written(house: Path, name: str = "dui-ehpad") -> str:
    """The text of a file of answers."""
    return (house / "reponses" / f"{name}.yaml").read_text(encoding="utf-8")


def test_a_first_file_is_one_that_the_check_reads(house: Path) -> None:
    """`init` writes objectives that `check` finds readable, with what is still to be answered."""
    (house / "objectifs.yaml").unlink()
    made = run("init", "--plan", str(house / "plan.yaml"))
    assert made.returncode == 0, made.stderr
    checked = run("check", "--plan", str(house / "plan.yaml"), "--json")
    found = json.loads(checked.stdout)
    assert checked.returncode == 0, checked.stdout
    assert found["valid"] is True
    assert {item["code"] for item in found["remarks"]} == {"answer-missing"}


def test_what_init_shows_in_comments_can_be_uncommented(house: Path) -> None:
    """The lines proposed are lines that are read: nobody learns a wrong way of writing."""
    (house / "objectifs.yaml").unlink()
    run("init", "--plan", str(house / "plan.yaml"))
    lines = (house / "objectifs.yaml").read_text(encoding="utf-8").splitlines()
    bare = "\n".join(
        line[1:].removeprefix(" ")
        if line.startswith(
            ("# scale", "# settled", "# comp", "# supp", "# relief", "# reco", "# scen", "# prices", "# arbi")
        )
        else line[1:]
        if line.startswith("#  ")
        else line
        for line in lines
    )
    (house / "objectifs.yaml").write_text(bare, encoding="utf-8")
    for section in (
        "relief:\n",
        "  detection: ",
        "  decision: ",
        "prices:\n",
        "arbitrations:\n",
        "scenarios:\n",
    ):
        assert f"\n{section}" in bare
    checked = run("check", "--plan", str(house / "plan.yaml"), "--json")
    assert checked.returncode in {0, 3}, checked.stdout + checked.stderr
    assert run("choose", "--plan", str(house / "plan.yaml")).returncode in {0, 3}


def test_what_init_shows_fits_a_plan_without_calendars_nor_that_application() -> None:
    """The examples name what the plan has: uncommented, they are read there too."""
    from dataclasses import replace

    from releve.cycle.objectives.init import first_objectives
    from tests.fakes.plans import application, plan

    text = first_objectives(replace(plan((application("paie", data=("dossiers",)),)), calendars={}))
    assert "dui" not in text
    assert "calendar" not in text.split("suppliers:")[1].split("scenarios:")[0]
    assert "subject: paie," in text


def test_init_overwrites_nothing(house: Path) -> None:
    """A file that is there stays as it is, and the command says so."""
    refused = run("init", "--plan", str(house / "plan.yaml"))
    assert (refused.returncode, "[file-exists]" in refused.stderr) == (2, True)
    assert (house / "objectifs.yaml").read_text(encoding="utf-8") == OBJECTIVES


def test_a_grave_contradiction_is_exit_three() -> None:
    """The example has promises that do not hold: the check says which, and its exit code says that there are some."""
    checked = run("check", "--plan", str(PLAN), "--json")
    assert checked.returncode == 3
    found = json.loads(checked.stdout)
    assert set(found) >= {"valid", "statements", "needs", "open", "remarks", "contradictions"}
    assert (found["statements"], found["needs"]) == (89, 88)
    assert any(item["grave"] for item in found["contradictions"])
    for item in found["contradictions"]:
        assert set(item) == {"code", "on", "sentence", "hint", "source", "grave", "file", "line"}
    assert "promise-too-slow" in run("check", "--plan", str(PLAN)).stdout


def test_readable_objectives_without_a_contradiction_are_exit_zero(house: Path) -> None:
    """Nothing that clashes, nothing that fails: answers that miss are only remarks."""
    checked = run("check", "--plan", str(house / "plan.yaml"))
    assert checked.returncode == 0, checked.stdout
    assert "2 besoins, tous repris du plan : personne n'a encore répondu" in checked.stdout


def test_a_fault_is_exit_two_with_its_line(house: Path) -> None:
    """A wrong file is bad input, named with line and column."""
    with (house / "objectifs.yaml").open("a", encoding="utf-8") as file:
        file.write("relief: {processors: 1, memory: 1 Go, throughput: 1 Mo, people: 1, calendar: burea}\n")
    checked = run("check", "--plan", str(house / "plan.yaml"))
    assert checked.returncode == 2
    assert f"{house}/objectifs.yaml:4:78: calendar-unknown" in checked.stderr
    assert "bureau" in checked.stderr


@pytest.mark.parametrize(
    ("words", "key", "line"),
    [
        (("show",), "needs", {"application", "establishment", "calendar", "rto", "rto_least_seconds", "rto_worst_seconds", "rto_in_periods", "rpo", "rpo_reasons", "answered", "open", "settled", "voices", "disagreements"}),
        (("show", "dui"), "needs", {"application", "rto", "rpo"}),
        (("priorities",), "ranks", {"place", "id", "name", "kind", "priority", "back_within_seconds", "weight", "why"}),
    ],
    ids=["show", "show one", "priorities"],
)  # fmt: skip
def test_json_is_one_document_with_stable_keys(words: tuple[str, ...], key: str, line: set[str]) -> None:
    """Standard output holds one JSON document and nothing else; every line of it has the same keys."""
    shown = run(*words, "--plan", str(PLAN), "--json")
    assert shown.returncode == 0
    rows = json.loads(shown.stdout)[key]
    assert rows
    assert all(set(row) >= line for row in rows)
    assert len({frozenset(row) for row in rows}) == 1


def test_priorities_never_put_a_thing_before_what_it_needs() -> None:
    """On the example of forty applications each rank comes after those that its own line names."""
    rows = json.loads(run("priorities", "--plan", str(PLAN), "--json").stdout)["ranks"]
    place = {row["id"]: row["place"] for row in rows}
    assert [row["place"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        after = row["why"].partition(" ; après ")[2]
        assert all(place[name] < row["place"] for name in after.split(", ") if name)


def test_a_need_is_shown_with_who_said_it_when_and_why() -> None:
    """The text of one application names people, dates, words, and both rules where they differ."""
    shown = run("show", "dui", "--plan", str(PLAN)).stdout
    assert "infirmière coordinatrice, 2026-10-0" in shown
    assert "« le traitement du tour suivant ne peut plus être vérifié »" in shown
    assert "règle pondérée, en contrôle : la somme des niveaux" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "duy"), "vouliez-vous dire « dui » ?"),
        (("ask", "duy", "--by", "x"), "vouliez-vous dire « dui » ?"),
        (("ask", "dui", "--by", "x"), "--establishment : ehpad, foyer, ime, siege"),
        (("ask", "dui", "-e", "ehpa", "--by", "x"), "--establishment : ehpad, foyer, ime, siege"),
        (("ask", "veille", "-e", "siege", "--by", "x"), "complétez « applications: » de cet établissement"),
        (("ask", "dui", "-e", "ehpad", "--by", "  "), '--by "infirmière coordinatrice"'),
        (("ask", "dui", "-e", "ehpad", "--by", "x", "--on", "hier"), "écrivez 2026-10-05"),
        (("ask", "dui", "-e", "ehpad", "--by", "x", "--on", "9999-12-31"), "la date où la personne a répondu"),
        (("ask", "dui", "-e", "ehpad", "--by", "x" * 201), "au plus 200"),
    ],
    ids=["show", "ask", "no place", "place", "not used", "nobody", "no date", "future", "long name"],
)  # fmt: skip
def test_an_unknown_name_is_bad_input_with_what_is_known(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """Exit 2, and the hint says what may be written instead."""
    copytree(EXAMPLE, tmp_path / "q")
    plan = str(tmp_path / "q/plan.yaml")
    refused = run(*words, "--plan", plan, stdin=typed("1"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert json.loads(run(*words, "--plan", plan, "--json", stdin=typed("1")).stdout)["error"]["code"]


def test_the_questionnaire_is_answered_to_its_end(house: Path) -> None:
    """Every answer given on the input is in the file, figure for figure, and what follows from it is said."""
    asked = run(*asks(house), stdin=typed(*IMPACTS, *ENDING))
    assert asked.returncode == 0, asked.stderr
    assert "on peut s'en passer 2 h" in asked.stdout
    assert WHY in asked.stdout
    text = written(house)
    assert "copes_for: 90 min" in text
    assert "retype_hours: 6.25" in text
    assert "volume: 1250 Mo" in text
    (voice,) = answers(house)
    assert (voice["by"], voice["on"], voice["rto"]) == ("infirmière", "2026-10-05", "2 h")
    assert not [path.name for path in (house / "reponses").iterdir() if path.name.startswith(".brouillon")]


def test_json_of_a_questionnaire_is_one_document(house: Path) -> None:
    """The questions are talk, on the other stream."""
    asked = run(*asks(house), "--json", stdin=typed(*IMPACTS, *ENDING))
    found = json.loads(asked.stdout)
    assert found["statement"]["impact"]["SECU"] == [1, 1, 1, 2, 3, 3, 4, 4, 4, 4]
    assert "au bout de combien de temps" in asked.stderr


def test_spaces_around_a_function_are_nobody_else(house: Path) -> None:
    """`--by " infirmière "` is the nurse, and the command ends well."""
    asked = run(*asks(house, by=" infirmière "), stdin=typed(*IMPACTS, *ENDING))
    assert asked.returncode == 0, asked.stderr
    assert answers(house)[0]["by"] == "infirmière"


def test_an_older_answer_added_late_is_not_said_to_be_what_counts(house: Path) -> None:
    """What is told at the end is what this answer gives, even where a newer one of the same person stands."""
    assert run(*asks(house), stdin=typed(*IMPACTS, *ENDING)).returncode == 0
    words = [word if word != "2026-10-05" else "2026-10-01" for word in asks(house)]
    late = run(*words, stdin=typed("5 min", "5 min", "5 min", *["jamais"] * 5, *ENDING))
    assert late.returncode == 0, late.stderr
    assert "on peut s'en passer moins de 5 min" in late.stdout
    (voice,) = answers(house)
    assert voice["rto"] == "2 h"


@pytest.mark.parametrize("end", ["", "!\n"], ids=["end of input", "later"])
def test_an_interruption_loses_nothing(house: Path, end: str) -> None:
    """What was answered is kept, the file is not written yet, and the same command asks only the rest."""
    stopped = run(*asks(house), stdin=typed(*IMPACTS[:5]) + end)
    assert stopped.returncode == (0 if end else 2)
    assert "5 réponses gardées, il en manque encore" in (stopped.stdout if end else stopped.stderr)
    assert ("erreur : " in stopped.stderr) is not bool(end)
    assert not (house / "reponses/dui-ehpad.yaml").exists()
    again = run(*asks(house), stdin=typed(*IMPACTS[5:], *ENDING))
    assert again.returncode == 0, again.stderr
    assert "reprise : 5 réponses déjà données" in again.stderr
    assert answers(house)[0]["rto"] == "2 h"


def test_a_killed_process_loses_nothing(house: Path) -> None:
    """SIGKILL after the third answer is shown as taken: the next process goes on at the fourth question."""
    with started(*asks(house)) as first:
        assert first.stdin is not None
        assert first.stderr is not None
        first.stdin.write(typed(*IMPACTS[:3]))
        first.stdin.flush()
        seen = ""
        while "[thème 2 sur" not in seen:
            seen += first.stderr.read(1)
        first.kill()
    assert first.returncode == -signal.SIGKILL
    assert not (house / "reponses/dui-ehpad.yaml").exists()
    again = run(*asks(house), stdin=typed(*IMPACTS[3:], *ENDING))
    assert again.returncode == 0, again.stderr
    assert "reprise : 3 réponses déjà données" in again.stderr
    assert answers(house)[0]["threshold_step"] == 3


def test_going_back_undoes_the_last_answer(house: Path) -> None:
    """`<` asks the question before again, as many times as it is typed, and the new answer counts."""
    lines = ["2 h", "8 h", "<", "<", "30 min", "4 h", "24 h", *IMPACTS[3:], *ENDING]
    asked = run(*asks(house), "--json", stdin=typed(*lines))
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["statement"]["impact"]["SECU"] == [1, 2, 2, 2, 3, 3, 4, 4, 4, 4]


def test_going_back_at_the_first_question_stays_there(house: Path) -> None:
    """There is nothing to undo: the first question is asked again."""
    asked = run(*asks(house), stdin=typed("<", "<", *IMPACTS, *ENDING))
    assert asked.returncode == 0, asked.stderr


def test_help_is_told_and_counts_for_no_answer(house: Path) -> None:
    """`?` says what the question means and all that may be typed, and asks again."""
    asked = run(*asks(house), stdin=typed("?", "!"))
    assert asked.stderr.count("Retard ou confort dégradé, sans risque pour la santé") == 3
    assert "par exemple : la toilette est décalée" in asked.stderr
    told = asked.stderr.split("Ce qui peut être tapé :")[1].split("[thème")[0]
    assert all(f"  {key}   " in told for key in "<?!")
    assert "0 réponse gardée" in asked.stdout


@pytest.mark.parametrize(
    ("line", "code"), [("", "[not-finished]"), ("!\n", "réponse gardée"), (None, "[interrupted]")]
)
def test_whoever_stops_is_told_what_to_type(
    house: Path, capsys: pytest.CaptureFixture[str], line: str | None, code: str
) -> None:
    """The end of the input, `!`, Ctrl-C: on a line of its own, the very command that goes on."""
    from datetime import date

    from releve.entrypoints.cli.objectives_ask import ask
    from releve.entrypoints.cli.objectives_files import places
    from releve.entrypoints.cli.telling import outcome

    def read() -> str:
        if line is None:
            raise KeyboardInterrupt
        return line

    plan = str(house / "plan.yaml")
    where = places(plan, "", str(house / "ailleurs"))
    code_given = outcome(False, lambda: ask(where, "dui", "", "l'infirmière", date(2026, 10, 5), read=read))
    told = capsys.readouterr()
    assert code_given == {"": 2, "!\n": 0, None: 130}[line]
    lines = (told.out if line == "!\n" else told.err).splitlines()
    (last,) = [text for text in lines if code in text]
    assert last.startswith("erreur : ") is (line != "!\n")
    command = lines[-1].split("pour continuer : ")[1]
    words = shlex.split(command)
    assert words[:4] == ["releve", "objectives", "ask", "dui"]
    given = dict(zip(words[4::2], words[5::2], strict=True))
    assert given == {
        "--establishment": "ehpad",
        "--by": "l'infirmière",
        "--on": "2026-10-05",
        "--plan": plan,
        "--answers": str(house / "ailleurs"),
    }


@pytest.mark.parametrize("line", ["9" * 5000, "peut-être", "0", "-1", "\x1b[A", "²"])
def test_an_odd_answer_is_refused_and_the_question_stays(house: Path, line: str) -> None:
    """Nothing that can be typed ends the command or counts as an answer."""
    asked = run(*asks(house), stdin=typed(line, "!"))
    assert asked.returncode == 0
    assert "répondez par un numéro de la liste" in asked.stderr
    assert "0 réponse gardée" in asked.stdout


@pytest.mark.parametrize("line", ["x" * 4001, "avant\x1b[Daprès", "nul\x00"], ids=["long", "arrow", "nul"])
def test_a_text_that_no_file_can_hold_is_refused_at_once(house: Path, line: str) -> None:
    """Said at its question: at the end it would block the whole answer, with no way back."""
    asked = run(*asks(house), stdin=typed(*IMPACTS, line, *ENDING))
    assert asked.returncode == 0, asked.stderr
    assert "une phrase courte suffit" in asked.stderr
    assert answers(house)[0]["why"] == WHY


@pytest.mark.parametrize(
    ("errors", "said"), [("strict", "UTF-8 est attendu"), ("surrogateescape", "une phrase courte suffit")]
)
def test_bytes_that_are_no_text_are_asked_again(house: Path, errors: str, said: str) -> None:
    """A terminal in another encoding is told so, whatever the locale; the answers before stay."""
    run(*asks(house), stdin=typed(*IMPACTS))
    with started(*asks(house), errors=errors) as process:
        assert process.stdin is not None
        process.stdin.buffer.write(b"tr\xe8s\n")
        process.stdin.flush()
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in err
    assert "8 réponses gardées" in err


def test_two_people_at_once_are_both_in_the_file(house: Path) -> None:
    """Two processes on one application and establishment: neither takes the other's place."""
    processes = [started(*asks(house, by=by)) for by in ("infirmière", "médecin")]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(typed(*IMPACTS, *ENDING[:-1]))
        process.stdin.flush()
    for process in processes:  # both stand at their last question before either ends
        assert process.stderr is not None
        seen = ""
        while "Quel volume" not in seen:
            seen += process.stderr.read(1)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(typed(ENDING[-1]))
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert sorted(str(voice["by"]) for voice in answers(house)) == ["infirmière", "médecin"]
    assert written(house).count("- application:") == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cadre", "cadre"),
        ("cadre a", "cadre-a"),
        ("infirmière coordinatrice de l'unité protégée, jour", "infirmière coordinatrice de l'unité protégée, nuit"),
    ],
    ids=["capital", "dash", "long"],
)  # fmt: skip
def test_one_person_never_takes_up_the_draft_of_another(house: Path, one: str, other: str) -> None:
    """Two functions that look alike begin at their own first question."""
    run(*asks(house, by=one), stdin=typed(*IMPACTS[:5]))
    second = run(*asks(house, by=other), stdin=typed("!"))
    assert "reprise" not in second.stderr
    assert "0 réponse gardée" in second.stdout


def test_comments_and_words_of_a_file_edited_by_hand_stay(house: Path) -> None:
    """What stood in the file is its beginning still, byte for byte."""
    run(*asks(house), stdin=typed(*IMPACTS, *ENDING))
    file = house / "reponses/dui-ehpad.yaml"
    edited = (
        written(house).replace("version: 1", "# relu en équipe le 12\nversion: 1")
        + "    # fin de la réponse\n"
    )
    file.write_text(edited, encoding="utf-8")
    assert run(*asks(house, by="médecin"), stdin=typed(*IMPACTS, *ENDING)).returncode == 0
    assert written(house).startswith(edited)
    assert len(answers(house)) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("version: 1\n", "") + "version: 1\n",
        lambda text: text.replace("\n  ", "\n"),
        lambda text: "version: 1\nanswers: []\n",
    ],
    ids=["ends elsewhere", "other indent", "flow list"],
)
def test_a_file_that_ours_does_not_fit_under_is_refused_and_left(house: Path, change) -> None:
    """Not one byte is changed, the answers wait in their draft, and once it is mended nothing is asked again."""
    run(*asks(house), stdin=typed(*IMPACTS, *ENDING))
    file = house / "reponses/dui-ehpad.yaml"
    good, wrong = written(house), change(written(house))
    file.write_text(wrong, encoding="utf-8")
    refused = run(*asks(house, by="médecin"), stdin=typed(*IMPACTS, *ENDING))
    assert refused.returncode == 2
    assert "[answers-invalid]" in refused.stderr
    assert written(house) == wrong
    file.write_text(good, encoding="utf-8")
    assert run(*asks(house, by="médecin")).returncode == 0
    assert len(answers(house)) == 2


def test_a_full_disk_leaves_the_old_file_and_says_so(house: Path) -> None:
    """A file that may not grow: exit 6, the answers of before are whole, and the draft goes on once there is room."""
    run(*asks(house), stdin=typed(*IMPACTS, *ENDING))
    before = written(house)
    with started(*asks(house, by="médecin"), limits={resource.RLIMIT_FSIZE: len(before.encode())}) as process:
        _out, err = process.communicate(typed(*IMPACTS, *ENDING), timeout=60)
    assert process.returncode == 6, err
    assert "[not-written]" in err
    assert "ce qui était écrit avant est intact" in err
    assert written(house) == before
    assert not list((house / "reponses").glob("*.new"))
    assert run(*asks(house, by="médecin")).returncode == 0
    assert len(answers(house)) == 2


@pytest.mark.parametrize("folder", ["plan.yaml/dedans", "x" * 300], ids=["under a file", "name too long"])
def test_a_place_that_cannot_be_written_is_said(house: Path, folder: str) -> None:
    """An answer folder that cannot be is exit 6 with a sentence, not a trace."""
    asked = run(*asks(house), "--answers", str(house / folder), stdin=typed(*IMPACTS, *ENDING))
    assert asked.returncode == 6, asked.stderr
    assert "[not-written]" in asked.stderr or "[answers-unreadable]" in asked.stderr


def test_answers_go_to_the_ledger_and_come_back(house: Path) -> None:
    """Recorded once however often it is asked; what is exported reads as what was said."""
    run(*asks(house), stdin=typed(*IMPACTS, *ENDING))
    run(*asks(house, by="médecin"), stdin=typed("jamais", *["jamais"] * 5, *ENDING[:2], "non"))
    plan = ("--plan", str(house / "plan.yaml"))
    (house / "etat").mkdir()
    first = json.loads(run("record", *plan, "--json").stdout)
    again = run("record", *plan)
    assert (first["new"], first["known"]) == (2, 0)
    assert again.stdout.strip() == "0 réponse inscrite au registre, 2 y étaient déjà"
    kept = answers(house)
    file = house / "reponses/dui-ehpad.yaml"
    file.unlink()
    assert run("export", str(file), *plan).returncode == 0
    assert [{**voice, "source": ""} for voice in answers(house)] == [
        {**voice, "source": ""} for voice in kept
    ]
    refused = run("export", str(file), *plan)
    assert (refused.returncode, "[file-exists]" in refused.stderr) == (2, True)


def test_what_was_never_measured_is_said_never_proven(house: Path) -> None:
    """Need, commitment and measure are three columns, and nothing stands in for a measure."""
    shown = run("compare", "--plan", str(house / "plan.yaml"), "--json")
    lines = json.loads(shown.stdout)["lines"]
    assert lines
    assert all((line["measure"], line["ratio"], line["band"]) == (None, None, "never") for line in lines)
    assert "jamais prouvé" in run("compare", "--plan", str(house / "plan.yaml")).stdout


def test_the_example_is_not_written_by_reading_it(tmp_path: Path) -> None:
    """Check, show and priorities leave no file behind."""
    copytree(EXAMPLE, tmp_path / "q")
    before = sorted(path.name for path in (tmp_path / "q").rglob("*"))
    for words in (("check",), ("show",), ("priorities",)):
        run(*words, "--plan", str(tmp_path / "q/plan.yaml"))
    assert sorted(path.name for path in (tmp_path / "q").rglob("*")) == before


def test_only_what_is_open_is_to_be_settled(house: Path) -> None:
    """A reason given explains the two rules; two people who differ are to be settled; a decision ends it."""
    alone = run(*asks(house), stdin=typed(*IMPACTS, *ENDING)).stdout
    assert "Écart expliqué : infirmière : la règle du seuil donne 2 h" in alone
    assert "  règle pondérée, en contrôle : la somme des niveaux de tous les critères" in alone
    assert "À trancher" not in alone
    plan = ("--plan", str(house / "plan.yaml"))
    assert "à trancher" not in run("check", *plan).stdout
    assert "désaccord" not in run("show", *plan).stdout
    other = run(
        *asks(house, by="médecin"), stdin=typed("8 h", "24 h", "3 j", *["jamais"] * 5, *ENDING)
    ).stdout
    assert "À trancher : infirmière dit 2 h, médecin dit 8 h" in other
    assert "; 1 à trancher" in run("check", *plan).stdout
    with (house / "objectifs.yaml").open("a", encoding="utf-8") as file:
        file.write('settled: [{application: dui, rto: 4 h, by: "directrice", on: 2026-10-20, why: "x"}]\n')
    third = run(*asks(house, by="cadre"), stdin=typed(*IMPACTS, *ENDING)).stdout
    assert "Déjà tranché par directrice : cadre et infirmière disent 2 h, médecin dit 8 h" in third
    assert "À trancher" not in third


def test_an_export_of_many_answers_is_in_files_that_can_be_read(house: Path) -> None:
    """Four hundred answers with a critical period are more than one file may hold: several, and all come back."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from releve.entrypoints.cli.session import relief_house
    from tests.fakes.objectives import at_night, statement

    with (house / "objectifs.yaml").open("a", encoding="utf-8") as file:
        file.write('periods: [{id: paie, name: "Paie", when: "du 18 au 5"}]\n')
    kept = relief_house(str(house / "plan.yaml")).ledger.statements
    said = at_night(statement(), "paie", 3)
    for number in range(400):
        kept.record(replace(said, by=f"personne {number}"), datetime(2026, 10, 5, tzinfo=UTC))
    out = house / "reponses/tout.yaml"
    plan = ("--plan", str(house / "plan.yaml"))
    made = json.loads(run("export", str(out), *plan, "--json").stdout)
    assert made["statements"] == 400
    assert len(made["files"]) > 1
    assert made["files"] == sorted(made["files"])
    checked = json.loads(run("check", *plan, "--json").stdout)
    assert checked["statements"] == 400


@pytest.mark.parametrize("words", [("record",), ("export", "tout.yaml")], ids=["record", "export"])
def test_a_machine_that_is_not_the_relief_makes_no_ledger_of_its_own(
    house: Path, words: tuple[str, ...]
) -> None:
    """It is refused with what to do, and nothing is made; once the folder is there, it goes."""
    given = [words[0], *(str(house / word) for word in words[1:]), "--plan", str(house / "plan.yaml")]
    refused = run(*given)
    assert refused.returncode == 6
    assert "[ledger-elsewhere]" in refused.stderr
    assert "sur la machine du secours" in refused.stderr
    assert sorted(path.name for path in house.iterdir()) == ["objectifs.yaml", "plan.yaml"]
    (house / "etat").mkdir()
    assert run(*given).returncode == 0


@pytest.mark.parametrize("words", [("check",), ("show",), ("record",)], ids=["check", "show", "record"])
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_folder_of_answers_that_was_named_must_be_there(
    house: Path, words: tuple[str, ...], by: str
) -> None:
    """A slip of the fingers is no folder without answers: it is refused, with the folder that was meant."""
    (house / "reponses").mkdir()
    given = ["objectives", *words, "--plan", str(house / "plan.yaml")]
    wrong = str(house / "reponse")
    refused = here(
        [*given, *(["--answers", wrong] if by == "option" else [])],
        {**environment(), **({"RELEVE_ANSWERS": wrong} if by == "variable" else {})},
    )
    assert refused.returncode == 2
    assert f"le dossier de réponses {wrong} n'existe pas [answers-missing]" in refused.stderr
    assert f"vouliez-vous dire « {house / 'reponses'} » ?" in refused.stderr


def test_the_usual_folder_of_answers_may_be_absent_and_ask_makes_one_that_was_named(house: Path) -> None:
    """Nobody answered yet; the first answer makes the folder, and says so before the questions."""
    plan = ("--plan", str(house / "plan.yaml"))
    assert run("show", *plan).returncode == 0
    elsewhere = ("--answers", str(house / "ailleurs"))
    asked = run(*asks(house), *elsewhere, stdin=typed(*IMPACTS, *ENDING))
    assert asked.returncode == 0, asked.stderr
    assert f"le dossier {house / 'ailleurs'} n'existe pas encore" in asked.stderr
    assert json.loads(run("check", *plan, *elsewhere, "--json").stdout)["statements"] == 1


def test_each_choice_is_echoed_in_words_and_a_pause_is_no_error(house: Path) -> None:
    """Numbers change from a question to the next: what was taken is said; `!` is a document with the way on."""
    asked = run(*asks(house), "--json", stdin=typed("4", "2", "jamais", "!"))
    assert asked.returncode == 0
    assert [
        line.split("→ ")[1] for line in asked.stderr.splitlines() if "  → " in line and "niveau" not in line
    ] == [
        "2 h",
        "4 h",
        "jamais",
    ]
    paused = json.loads(asked.stdout)
    assert (paused["finished"], paused["answered"]) == (False, 3)
    assert paused["again"].startswith("releve objectives ask dui ")
    ended = run(*asks(house), "--json", stdin=typed(*IMPACTS[3:], WHY, "", "non"))
    assert "  → je ne sais pas" in ended.stderr
    assert json.loads(ended.stdout)["finished"] is True


def test_a_correction_of_the_same_day_counts_in_the_ledger_and_in_its_export(house: Path) -> None:
    """In files the two are to be settled; recorded in turn, the second counts, wherever it is read."""
    (house / "etat").mkdir()
    plan = ("--plan", str(house / "plan.yaml"))
    run(*asks(house), stdin=typed(*IMPACTS, *ENDING))
    run("record", *plan)
    slip = run(*asks(house), stdin=typed("8 h", "24 h", "3 j", *IMPACTS[3:], *ENDING)).stdout
    assert "À trancher : infirmière a donné deux réponses le même jour : 2 h et 8 h" in slip
    assert len(answers(house)) == 2
    assert json.loads(run("record", *plan, "--json").stdout)["new"] == 1
    kept = json.loads(run("show", "dui", *plan, "--answers", "registre", "--json").stdout)["needs"][0]
    assert [voice["rto"] for voice in kept["voices"]] == ["8 h"]
    (house / "reponses/dui-ehpad.yaml").unlink()
    run("export", str(house / "reponses/tout.yaml"), *plan)
    assert [voice["rto"] for voice in answers(house)] == ["8 h"]
