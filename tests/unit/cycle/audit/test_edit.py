"""What was found and is not declared, added to the plan without touching the rest of its text."""

from __future__ import annotations

import difflib
from dataclasses import replace

import pytest

from releve.cycle.audit.additions import Addition, additions
from releve.cycle.audit.edit import edited
from releve.cycle.audit.judge import judge as judge_estate
from releve.cycle.plan.load import judge
from releve.domain.audit import Topic
from releve.domain.errors import BadInput
from releve.domain.inventory import Device
from releve.domain.seen import Connection, Documents, Fact, Listening, Neighbour, Service, Tally
from tests.fakes.audits import PLAN, estate

STRANGER = Neighbour("lan", "10.1.0.77", vendor="Fictive", services=(Service("tcp", 9100, "jetdirect"),))
KNOWN = Neighbour("lan", "10.1.0.10", services=(Service("tcp", 22, "ssh"),))
FOUND: list[tuple[Topic, str, Fact]] = [
    (Topic.NETWORK, "lan", STRANGER),
    (Topic.NETWORK, "lan", KNOWN),
    (Topic.CONNECTIONS, "serveur", Connection("serveur", "tcp", "10.1.0.10", "10.1.0.20", 445, False, 4)),
    (
        Topic.CONNECTIONS,
        "serveur",
        Connection("serveur", "tcp", "10.1.0.10", "192.0.2.9", 443, True, 2, "curl"),
    ),
    (Topic.CONNECTIONS, "accueil", Connection("accueil", "tcp", "10.1.0.20", "10.1.0.77", 9100, True, 1)),
    (Topic.MACHINE, "serveur", Listening("serveur", "tcp", "10.1.0.10", 3306, "mariadbd")),
    (Topic.MACHINE, "serveur", Listening("serveur", "tcp", "10.1.0.10", 8080, "dossier")),
    (Topic.MACHINE, "serveur", Listening("serveur", "tcp", "10.1.0.10", 22, "sshd")),
    (Topic.DOCUMENTS, "accueil", Documents("accueil", "/home", (Tally("pdf", 3, 900),))),
]


def lines_added(before: str, after: str) -> list[str]:
    """What `after` has more; nothing may have gone."""
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert not [line for line in changed if line[0] == "-"], changed
    return [line[2:] for line in changed]


def test_who_waits_for_an_answer_is_no_application() -> None:
    """A UDP port that the kernel lends to a client is no service; the same port over TCP, or a fixed one, is."""
    ports = [("udp", 44065), ("udp", 5405), ("tcp", 44065)]
    seen: list[tuple[Topic, str, Fact]] = [
        (Topic.MACHINE, "serveur", Listening("serveur", protocol, "0.0.0.0", port, f"{protocol}{port}"))  # noqa: S104
        for protocol, port in ports
    ]
    proposed = {item.entry["id"] for item in additions(estate(seen)) if item.section == "applications"}
    assert proposed == {"udp5405-serveur", "tcp44065-serveur"}


def test_an_addition_says_whether_people_must_complete_it() -> None:
    """A name to say, a purpose or a need: that is an answer to give; a database that was recognised is none."""
    told = {
        str(item.entry.get("id", item.entry.get("to"))): item.unanswered for item in additions(estate(FOUND))
    }
    assert {name for name, asked in told.items() if not asked} == {
        "base-serveur-3306",
        "documents-accueil-home",
    }


def test_what_is_declared_is_not_proposed() -> None:
    """A known machine, a declared flow and our own ssh are no additions; everything else is, once."""
    found = additions(estate(FOUND))
    assert [(item.section, item.entry.get("id", item.entry.get("to"))) for item in found] == [
        ("equipment", "appareil-10-1-0-77"),
        ("suppliers", "inconnu-192-0-2-9"),
        ("holdings", "base-serveur-3306"),
        ("holdings", "documents-accueil-home"),
        ("flows", "appareil-10-1-0-77"),
        ("flows", "inconnu-192-0-2-9"),
        ("applications", "dossier-serveur"),
    ]
    assert found[0].entry["kind"] == Device.PRINTER.value
    assert additions(estate()) == ()


def test_the_edit_adds_lines_and_the_plan_still_reads() -> None:
    """Comments and layout stay to the letter; the plan that comes out declares what was added."""
    after = edited(PLAN, additions(estate(FOUND)), "05/10/2026")
    added = lines_added(PLAN, after)
    assert len([line for line in added if line.lstrip().startswith("- {")]) == 6
    judgement = judge(after.encode(), "plan.yaml")
    assert judgement.faults == ()
    assert judgement.plan is not None
    owned = judgement.plan.inventory
    assert [item.address for item in owned.equipment][-1] == "10.1.0.77"
    assert [item.id for item in owned.holdings] == [
        "bureautique",
        "base-serveur-3306",
        "documents-accueil-home",
    ]
    assert [(flow.source, flow.to, flow.port) for flow in owned.flows] == [
        ("accueil", "serveur", 445),
        ("accueil", "appareil-10-1-0-77", 9100),
        ("serveur", "inconnu-192-0-2-9", 443),
    ]


def keys(text: str, found: list[tuple[Topic, str, Fact]]) -> set[tuple[str, str]]:
    """(code, subject) of the weak points that the networks and the exchanges show."""
    points = judge_estate(estate(found, text), ()).points
    return {point.key for point in points if point.rule.code[:3] in {"RES", "ECH"}}


AWAY = [
    *FOUND,
    (Topic.NETWORK, "lan", Neighbour("lan", "10.1.0.78", services=(Service("tcp", 23, "telnet"),))),
    (Topic.NETWORK, "lan2", Neighbour("lan2", "10.2.0.7")),
    (Topic.CONNECTIONS, "serveur", Connection("serveur", "tcp", "10.1.0.10", "10.2.0.7", 22, True, 1)),
    (Topic.CONNECTIONS, "accueil", Connection("accueil", "tcp", "10.1.0.20", "10.2.0.10", 25, True, 1)),
]
TWO_SITES = PLAN.replace(
    "country: FR}]", "country: FR}, {id: lan2, name: Réseau du foyer, site: foyer, range: 10.2.0.0/24}]"
).replace(
    "  - {id: accueil,",
    "  - {id: secours, site: foyer, reach: local, addresses: [10.2.0.10]}\n  - {id: accueil,",
)


def test_what_nobody_has_completed_settles_nothing() -> None:
    """The entries of an import leave each weak point where it was, and are not proposed twice; completed, they count."""
    before = keys(TWO_SITES, AWAY)
    assert {code for code, _subject in before} >= {"RES-01", "RES-02", "ECH-01", "ECH-02"}
    after = edited(TWO_SITES, additions(estate(AWAY, TWO_SITES)), "05/10/2026")
    assert before <= keys(after, AWAY)
    again = [item for item in additions(estate(AWAY, after)) if not item.proposal]
    assert again == []
    said = after.replace("À préciser : ", "Dit ").replace('purpose: ""', "purpose: Dit")
    left = keys(said, AWAY)
    assert {code for code, _subject in before - left} >= {"RES-01", "ECH-01", "ECH-02"}
    assert not {code for code, _subject in left} & {"RES-01", "ECH-01", "ECH-02", "ECH-03"}


def test_the_reason_says_what_is_missing() -> None:
    """An entry without a name, a flow without a purpose: the sentence no longer says that the plan is silent."""
    after = edited(TWO_SITES, additions(estate(AWAY, TWO_SITES)), "05/10/2026")
    said = "\n".join(point.weakness.sentence for point in judge_estate(estate(AWAY, after), ()).points)
    assert "10.1.0.77 (Fictive) répond sur Réseau du siège et le plan ne dit pas encore ce que c'est" in said
    assert "(port 25), et le plan ne dit pas à quoi il sert" in said


def test_an_identifier_is_never_said_twice() -> None:
    """Two folders of a machine with a long name, and a name that the plan already has: each proposal is another one."""
    long = "poste-" + "accueil-" * 6 + "nord"
    text = PLAN.replace("id: accueil,", f"id: {long},").replace("from: accueil", f"from: {long}")
    text = text.replace("id: bureautique,", "id: documents-serveur-home,")
    found = [
        (Topic.DOCUMENTS, long, Documents(long, place, (Tally("pdf", 3, 900),)))
        for place in ("/home", "/root")
    ]
    found.append((Topic.DOCUMENTS, long, Documents("serveur", "/home", (Tally("pdf", 3, 900),))))
    found.append((Topic.MACHINE, long, Listening(long, "tcp", "10.1.0.20", 5432, "postgres")))
    found += [
        (Topic.MACHINE, long, Listening(long, "tcp", "10.1.0.20", 80 + n, program))
        for n, program in enumerate(("un.programme", "un programme"))
    ]
    wanted = additions(estate(found, text))
    names = [str(item.entry["id"]) for item in wanted]
    assert len(set(names)) == len(names) == 6
    assert "documents-serveur-home-2" in names
    judgement = judge(edited(text, wanted, "05/10/2026").encode(), "plan.yaml")
    assert judgement.faults == ()


def test_a_need_is_never_invented() -> None:
    """An application comes as a comment: how long one can do without it is asked of people."""
    after = edited(PLAN, additions(estate(FOUND)), "05/10/2026")
    proposed = [line for line in after.splitlines() if "dossier-serveur" in line]
    assert len(proposed) == 1
    assert proposed[0].lstrip().startswith("# - {id: dossier-serveur")
    judgement = judge(after.encode(), "plan.yaml")
    assert judgement.plan is not None
    assert [item.id for item in judgement.plan.applications] == ["partage"]


ENTRY = Addition("equipment", {"id": "neuf", "name": "Neuf : l'un", "kind": "other", "site": "siege"}, "vu")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "equipment:\n",
        "equipment: ~\n",
        "equipment: null # dit\nflows: []\n",
        "equipment:\n  ~\n",
        "equipment: []\n",
        "equipment: [{id: a, name: A, kind: other, site: siege}]\n",
        "equipment: [{id: a, name: A, kind: other, site: siege},]\n",
        "equipment: [\n  {id: a, name: A, kind: other, site: siege} # dit\n]\n",
        "equipment:\n- id: a\n  name: |\n    long\n    nom\n  kind: other\n  site: siege\n# fin\n",
        "equipment:\n    - id: a\n      kind: other\n      site: siege\n      name: >-\n        long\n        nom\n\n# fin\n",
        "equipment:\n  - {id: a, name: A, kind: other,\n     site: siege}  # un\nflows: []\n",
        "equipment:\n  - {id: a, name: A, kind: other, site: siege}",
    ],
    ids=[
        "absent",
        "nothing",
        "tilde",
        "null",
        "below",
        "empty",
        "flow",
        "comma",
        "lines",
        "literal",
        "folded",
        "block",
        "no end of line",
    ],
)
def test_an_entry_finds_its_place_however_the_section_is_written(written: str) -> None:
    """Block or flow, empty or absent, with literal text or comments: the entry is read back and the rest stays."""
    base = PLAN.split("equipment:")[0].replace("behind: [commutateur],", "")
    after = edited(base + written, [ENTRY], "05/10/2026")
    judgement = judge(after.encode(), "plan.yaml")
    assert judgement.faults == ()
    assert judgement.plan is not None
    assert judgement.plan.inventory.equipment[-1].name == "Neuf : l'un"
    assert len(judgement.plan.inventory.equipment) == (2 if "id: a" in written else 1)
    for comment in ("# dit", "# fin", "# un", "# les lieux"):
        assert (comment in after) == (comment in base + written)


def test_a_section_that_is_no_list_is_not_touched() -> None:
    """What cannot be edited without changing it is refused."""
    with pytest.raises(BadInput, match="n'est pas une liste"):
        edited("equipment: {a: 1}\n", [ENTRY], "05/10/2026")


LAST = "equipment:\n  - {id: a, name: A, kind: other, site: siege}\n"


def base(written: str) -> str:
    """A plan that ends with this section."""
    return PLAN.split("equipment:")[0].replace("behind: [commutateur],", "") + written


@pytest.mark.parametrize("written", ["", LAST, "equipment:\n"])
def test_the_newline_of_the_file_is_kept(written: str) -> None:
    """A plan written on Windows stays one: every line ends as the others do."""
    after = edited(base(written).replace("\n", "\r\n"), [ENTRY], "05/10/2026")
    assert after.count("\n") == after.count("\r\n")
    assert after.replace("\r\n", "\n") == edited(base(written), [ENTRY], "05/10/2026")


@pytest.mark.parametrize("end", ["...\n", "...", "... # fin\n# rien\n"])
@pytest.mark.parametrize("written", ["", LAST])
def test_an_entry_stands_before_the_end_of_the_document(written: str, end: str) -> None:
    """What is written after "..." is no longer the plan; it stays there to the letter."""
    after = edited(base(written) + end, [ENTRY], "05/10/2026")
    assert after.endswith(end)
    judgement = judge(after.encode(), "plan.yaml")
    assert judgement.faults == ()
    assert judgement.plan is not None
    assert judgement.plan.inventory.equipment[-1].id == "neuf"


def test_the_comments_of_the_last_entry_stay_with_it() -> None:
    """Those further in than its dash are its own; those of the section, and of what follows, come after."""
    own = "    # son mot de passe est au coffre\n\n    # et sa clé aussi\n"
    after = edited(base(LAST + own + "\n  # fin de la liste\nflows: []\n"), [ENTRY], "05/10/2026")
    assert f"{LAST}{own}  # vu le 05/10/2026 : vu\n  - {{id: neuf" in after
    assert after.endswith("\n\n  # fin de la liste\nflows: []\n")


@pytest.mark.parametrize("ended", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85"])
def test_only_the_ends_of_lines_end_lines(odd: str, ended: str) -> None:
    """A separator that an editor pasted into a quoted value is part of it, wherever it stands."""
    text = base(LAST + "flows: []\n").replace("Fibre,", f'"Fibre{odd}du siège",').replace("\n", ended)
    assert odd in text
    assert judge(text.encode(), "plan.yaml").faults == ()
    after = edited(text, [ENTRY], "05/10/2026")
    assert odd in after
    plan = judge(after.encode(), "plan.yaml").plan
    assert plan is not None
    assert [item.id for item in plan.inventory.equipment] == ["a", "neuf"]


@pytest.mark.parametrize("written", ["~", "null", ""])
def test_nothing_between_braces_becomes_a_list(written: str) -> None:
    """Where the whole plan is one line, a section without a value takes the entries as a list."""
    after = edited(f"{{version: 1, equipment: {written}, flows: []}}\n", [ENTRY], "05/10/2026")
    assert after.startswith("{version: 1, equipment: [{id: neuf, name: ")
    assert "".join(after.split()).endswith("kind:other,site:siege}],flows:[]}")


def test_a_plan_between_braces_without_the_section_is_not_touched() -> None:
    """There is no line to add: the refusal says what to write by hand."""
    with pytest.raises(BadInput, match="entre accolades"):
        edited("{version: 1}\n", [ENTRY], "05/10/2026")


def test_what_a_machine_calls_itself_cannot_write_the_plan() -> None:
    """The name of a program holds line ends: the comment stays one line."""
    after = edited(base(LAST), [replace(ENTRY, why="vu\nhosts: []\x07\u2028fin")], "05/10/2026")
    assert "# vu le 05/10/2026 : vu hosts: [] fin\n" in after
    odd = replace(ENTRY, entry={**ENTRY.entry, "name": "a\u2028b\x85c\nd"})
    plan = judge(edited(base(LAST), [odd], "05/10/2026").encode(), "plan.yaml").plan
    assert plan is not None
    assert plan.inventory.equipment[-1].name == "a\u2028b\x85c\nd"
