"""Every rule on one estate that has the weak point, and on one that nearly has it; see docs/guides/ajouter-une-regle.md.

RELEVE_GOLDEN=write writes the texts again: read the difference before you keep it.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from releve.cycle.audit.additions import additions
from releve.cycle.audit.checklist import QUESTIONS, subjects
from releve.cycle.audit.estate import Estate
from releve.cycle.audit.exchanges import exchanges
from releve.cycle.audit.judge import Judged, judge
from releve.cycle.audit.rule import Standing
from releve.cycle.audit.rules import RULES
from releve.cycle.audit.rules.evidence import held
from releve.cycle.plan.load import judge as judge_plan
from releve.domain.audit import Acceptance, Topic
from releve.domain.seen import Connection
from tests.unit.cycle.audit.cases import GOLDEN, NOW, estate, read, say

CODES = [rule.code for rule in RULES]
ASKED = {question.code: question for question in QUESTIONS}
OF_FACTS = [code for code in CODES if code not in ASKED]


def compare(name: str, said: str) -> None:
    """The golden text `name` is what is said."""
    golden = GOLDEN / name
    if os.environ.get("RELEVE_GOLDEN") == "write":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def near_misses(code: str) -> list[dict[str, Any]]:
    """What a rule must be silent on: one change, or several, each by itself."""
    silent = read(f"{code}.yaml")["silent"]
    return silent if isinstance(silent, list) else [silent]


def test_nothing_is_weak_in_the_healthy_estate() -> None:
    """The estate that every case changes has no weak point at all, and every rule could look at it."""
    judged = judge(estate(), ())
    assert say(judged) == "rien\n"
    assert judged.unjudged == ()


def test_the_healthy_plan_reads_as_the_cases_build_it() -> None:
    """The cases leave the YAML parser aside to be quick; what it reads is the same plan, without a remark."""
    read_from_text = judge_plan((GOLDEN / "_plan.yaml").read_bytes(), "plan.yaml", today=date(2026, 10, 5))
    assert (read_from_text.faults, read_from_text.remarks) == ((), ())
    assert read_from_text.plan is not None
    assert replace(read_from_text.plan, fingerprint="fictive") == estate().plan


def test_every_rule_has_its_two_cases() -> None:
    """A rule whose wording nobody has read, or that nobody tried to mislead, cannot be added."""
    cases = {path.stem for path in GOLDEN.glob("[A-Z]*.yaml")}
    assert cases == set(OF_FACTS)
    for code in OF_FACTS:
        case = read(f"{code}.yaml")
        assert case["fires"], code
        assert all(near_misses(code)), code
        assert case["fires"] not in near_misses(code), code


@pytest.mark.parametrize("code", OF_FACTS)
def test_a_rule_names_its_weak_point_and_nothing_else_does(code: str) -> None:
    """The golden text is said to the letter; no other rule names the same cause, but those that the case lists."""
    case = read(f"{code}.yaml")
    judged = judge(estate(case["fires"]), ())
    found = {point.rule.code for point in judged.points}
    assert code in found
    assert found == {code, *case.get("also", ())}
    compare(f"{code}.txt", say(judged))


@pytest.mark.parametrize("code", OF_FACTS)
def test_a_rule_is_silent_where_the_point_is_nearly_there(code: str) -> None:
    """No near miss of the case is named by the rule."""
    for change in near_misses(code):
        judged = judge(estate(change), ())
        assert code not in {point.rule.code for point in judged.points}, change


def test_a_no_is_named_for_its_question_and_its_subject() -> None:
    """A "no" of today is said under the question's own code; a "yes", "does not apply" or an old "no" is not."""
    lines = []
    for code, question in ASKED.items():
        subject = subjects(estate().plan, question)[-1]
        answers = {f"{code} {subject}": {"good": False, "label": "vu sur place"}}
        found = judge(estate({"answers": answers}), ())
        assert [point.key for point in found.points] == [(code, subject or "association")]
        lines.append(say(found))
        for other in ({"good": True}, {"good": None}, {"good": False, "until": date(2026, 10, 4)}):
            said = {f"{code} {subject}": {"on": date(2026, 9, 2), **other}}
            assert code not in {point.rule.code for point in judge(estate({"answers": said}), ()).points}
    compare("questions.txt", "".join(lines))


def test_a_machine_known_by_its_name_is_expected_at_no_address() -> None:
    """An SSH address that is a host name lies in no network: nobody can say that it did not answer there."""
    named = {"reach": "ssh", "site": "foyer", "ups": "ups3"}
    ssh = {"address": "srv3.exemple.invalid", "user": "releve", "key": "/k", "known_hosts": "/h"}
    change = {"plan": {"hosts": {"srv3": {**named, "ssh": ssh}}}, "looks": {"machine:srv3": None}}
    assert {point.rule.code for point in judge(estate(change), ()).points} == {"VU-01"}


def test_a_machine_is_known_at_the_addresses_that_were_seen_on_it() -> None:
    """The machine that audits has none in the plan: it is neither a stranger (RES-01) nor proposed for import."""
    plan = {"hosts": {"audit": {"reach": "local", "site": "siege", "ups": "ups1", "behind": ["sw1"]}}}
    neighbour = [{"neighbour": {"network": "lan1", "address": "10.1.0.5"}}]
    for addresses, known in ((["10.1.0.5"], True), ([], False)):
        own = [{"system": {"name": "audit", "os": "debian", "version": "13", "addresses": addresses}}]
        found = estate({"plan": plan, "looks": {"network:lan1": neighbour, "machine:audit": own}})
        points = {point.key for point in judge(found, ()).points}
        assert (("RES-01", "10.1.0.5") not in points) is known
        assert (not [item for item in additions(found) if item.section == "equipment"]) is known


def test_a_machine_that_is_down_is_named_once_with_all_that_it_hides() -> None:
    """One cause, one name, under the key of its own look; what fails for another reason keeps its own."""
    down = {"code": "host-unreachable", "sentence": "la machine srv1 n'est pas joignable"}
    full = {"code": "place-denied", "sentence": "droits insuffisants", "what": "/srv/archives"}
    looks: dict[str, Any] = {
        f"{topic}:srv1": [{kind: None}, {"gap": down}]
        for topic, kind in (("ports", "port"), ("connections", "connection"))
    }
    looks["machine:srv1"] = [
        *({kind: None} for kind in ("system", "disk", "unit", "updates", "clock")),
        {"gap": down},
    ]
    looks["sensitive:archives"] = [{"sensitive": None}, {"reading": None}, {"gap": down}]
    looks["files:archives"] = [{"files": None}, {"gap": full}]
    looks["copies:archives"] = [{"gap": {**down, "what": "srv1:/copies"}}]  # told apart
    found = {
        point.weakness.subject: point.weakness.sentence
        for point in judge(estate({"looks": looks}), ()).points
        if point.rule.code in {"VU-01", "VU-02"}
    }
    assert set(found) == {
        "machine:srv1",
        "files:archives:/srv/archives",
        "copies:archives:srv1:/copies",
    }
    assert found["machine:srv1"].endswith(
        "la machine srv1 n'est pas joignable ; pour la même raison : "
        "données personnelles et de santé (Archives), qui parle à qui, prises et câbles d'un appareil"
    )


def test_disks_that_say_nothing_of_their_health_prove_nothing() -> None:
    """POS-13 tells whose health was not seen, whether a gap says why or not; a disk that speaks is heard."""
    (rule,) = (item for item in RULES if item.code == "POS-13")
    mute = {"disk": {"mount": "/", "health": ""}}
    gap = {"gap": {"code": "smart-missing", "sentence": "smartctl", "what": "santé des disques"}}
    assert rule.unheard(estate()) == ""
    for facts in ([mute], [mute, gap]):
        assert rule.unheard(estate({"looks": {"machine:srv1": facts}})).endswith("n'a pas été vue : srv1")


def test_an_address_that_two_machines_have_tells_neither() -> None:
    """The bridge that containers get is the same on each machine: an appliance there stays unknown."""
    own = [{"system": {"addresses": ["172.17.0.1"]}}]
    found = estate({"looks": {"machine:srv1": own, "machine:srv2": own}})
    assert found.thing_at("172.17.0.1") == ""


def test_growth_is_that_of_one_machine() -> None:
    """After a switch the database is another one's: what it weighed at the other site is no beginning of a growth."""
    whole = estate(read("DON-03.yaml")["fires"])
    elsewhere = tuple(replace(look, errand=replace(look.errand, site="foyer")) for look in whole.earlier)
    assert "DON-03" not in {point.rule.code for point in judge(replace(whole, earlier=elsewhere), ()).points}


def test_growth_is_measured_from_the_newest_audit_that_is_a_day_old() -> None:
    """Two audits an hour apart say nothing of how fast a disk fills: an older one does, and without it nobody knows."""
    whole = estate(read("DON-03.yaml")["fires"])

    def then(*apart: timedelta) -> Estate:
        return replace(
            whole, earlier=tuple(replace(look, at=NOW - one) for one in apart for look in whole.earlier)
        )

    hours, days, months = timedelta(hours=20), timedelta(days=2), timedelta(days=90)
    for earlier, said in (((hours, days), "2 j"), ((days, months), "2 j"), ((months, hours), "90 j")):
        (point,) = (one for one in judge(then(*earlier), ()).points if one.rule.code == "DON-03")
        assert f"en {said} :" in point.weakness.sentence
    judged = judge(then(hours), ())
    assert "DON-03" not in {point.rule.code for point in judged.points}
    assert [(rule.code, why) for rule, why in judged.unjudged] == [
        ("DON-03", "il faut un audit d'avant, vieux d'au moins 1 j, auquel comparer")
    ]


def test_what_the_plan_merely_leaves_out_is_not_said_not_to_exist() -> None:
    """Where no copy is declared none was looked for: COP-01 says what is known, and no more."""
    change = {
        "plan": {"holdings": {"archives": {"copies": []}}},
        "looks": {"copies:archives": [{"copy": None}, {"restored": None}]},
    }
    assert say(judge(estate(change), ())) == (
        "COP-01 critical [archives] siege : Archives : le plan ne déclare aucune copie\n"
    )


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (
            "Windows 10 22H2",
            "POS-01 critical [pc] siege : PC est déclaré sous Windows 10 version 22H2, qui n'est plus corrigé depuis le 14/10/2025",
        ),
        (
            "Windows 11 24H2",
            "POS-02 minor [pc] siege : PC est déclaré sous Windows 11 version 24H2, qui ne sera plus corrigé après le 13/10/2026",
        ),
        (
            "DSM 9",
            "POS-03 minor [pc] siege : PC est déclaré sous DSM 9 : sa fin de support n'est pas connue de Relève",
        ),
        ("DSM 7.3", "rien"),
    ],
)
def test_a_system_that_is_only_declared_is_judged_as_declared(system: str, said: str) -> None:
    """A Windows workstation or a NAS that no audit enters is judged from the plan, and the sentence says so."""
    pc = {"name": "PC", "kind": "workstation", "site": "siege", "address": "10.1.0.30", "system": system}
    seen = [{"neighbour": {"network": "lan1", "address": "10.1.0.30"}}]
    judged = judge(estate({"plan": {"equipment": {"pc": pc}}, "looks": {"network:lan1": seen}}), ())
    assert say(judged) == f"{said}\n"


COPY = {
    "how": "folder",
    "site": "siege",
    "place": "srv1:/copies/archives",
    "found": True,
    "at": "2026-10-05T02:00:00Z",
    "offline": True,
}


def test_a_copy_that_is_missing_is_named_by_parts_that_can_be_told_apart() -> None:
    """What a person types again (`accept`): data, way, site, machine and folder, each behind its mark."""
    copy = {"how": "folder", "site": "foyer", "place": "srv2:/copies/archives", "found": False}
    other = {"how": "declared", "site": "siege", "place": "", "found": False}
    change = {"looks": {"copies:archives": [{"copy": copy}, {"copy": other}, {"copy": COPY}]}}
    found = {
        point.weakness.subject for point in judge(estate(change), ()).points if point.rule.code == "COP-07"
    }
    assert found == {"archives:folder@foyer:srv2:/copies/archives", "archives:declared@siege"}


def test_the_only_person_of_a_plan_without_an_application() -> None:
    """The sentence ends where there is nothing more to say."""
    change = {
        "plan": {
            "contacts": {"technicien": None},
            "applications": {"dui": None, "paie": None},
            "approvals": {"fence": {"people": 1, "who": ["directrice"], "deadline": "1 h"}},
            "suppliers": {"editeur": {"applications": []}},
        }
    }
    said = {point.rule.code: point.weakness.sentence for point in judge(estate(change), ()).points}
    assert said["HUM-03"] == "Directrice est la seule personne du plan"


def test_a_copy_said_to_be_elsewhere_than_its_machine_is_told_with_both_places() -> None:
    """COP-02 counts the copy where its machine is, and repeats what the plan says of it."""
    place = {"site": "foyer", "host": "srv1", "path": "/copies/archives", "offline": True}
    change = {
        "plan": {"holdings": {"archives": {"copies": [place]}}},
        "looks": {"copies:archives": [{"copy": None}, {"copy": COPY}]},
    }
    assert say(judge(estate(change), ())) == (
        "COP-02 critical [archives] siege : Archives : 1 copie, sur le même site que les données (Siège)"
        " ; le plan dit Foyer d'une copie qui est sur srv1\n"
    )


def test_the_party_outside_is_found_whichever_end_it_is() -> None:
    """Of a stranger that comes in, the country is the stranger's; between two sites nobody is outside."""
    seen = [
        {
            "connection": {
                "protocol": "tcp",
                "local": "10.1.0.10",
                "peer": peer,
                "port": 443,
                "times": 1,
                **way,
            }
        }
        for peer, way in (("198.51.100.7", {"outgoing": False}), ("192.0.2.9", {"outgoing": True}))
    ]
    found = exchanges(estate({"looks": {"connections:srv1": seen}}))
    outside = {one.key: one.outside.name if one.outside else None for one in found}
    assert outside["198.51.100.7→srv1:443"] == "198.51.100.7"
    assert outside["srv1→editeur:443"] == "editeur"
    assert outside["srv1→srv2:5432"] is None


def test_a_restoration_that_failed_is_no_restoration() -> None:
    """A person's "it failed" is named with its day, and not taken for a success."""
    said = {"restored archives": {"good": False, "by": "technicien", "on": date(2026, 10, 1)}}
    judged = judge(estate({"looks": {"copies:archives": [{"restored": None}]}, "answers": said}), ())
    assert say(judged) == (
        "COP-05 major [archives] siege : Archives : le dernier essai de restauration, le 01/10/2026, a échoué\n"
    )


def test_a_rule_is_a_value_that_a_person_can_read() -> None:
    """Code, title, reason, remedy and sources follow one pattern, and no code stands for two rules."""
    assert len(set(CODES)) == len(CODES)
    assert len(OF_FACTS) >= 45
    for rule in RULES:
        assert re.fullmatch(r"[A-Z]{2,3}-\d\d", rule.code), rule.code
        for text in (rule.title, rule.why, rule.mend):
            assert text, rule.code
            assert text[0] == text[0].lower() or text.startswith("Relève"), (rule.code, text)
            assert not text.endswith("."), (rule.code, text)
        assert rule.sources, rule.code


def test_no_sentence_ends_like_a_page() -> None:
    """Sentences of weak points have no full stop and no capital but that of a name: they stand in lists."""
    for code in OF_FACTS:
        for line in (GOLDEN / f"{code}.txt").read_text(encoding="utf-8").splitlines():
            assert not line.endswith("."), line


def test_copies_are_compared_with_the_site_that_held_the_data() -> None:
    """After a switch the old side is the other site, and a copy beside the data is named where they are."""

    def switched(*sites: str) -> list[tuple[str, str]]:
        copies = [
            {"copy": {"how": how, "site": site, "found": True, "at": NOW, "offline": how == "vault"}}
            for how, site in zip(("hot", "vault"), sites, strict=True)
        ]
        whole = estate({"looks": {"copies:dossiers": [{"copy": None}, *copies]}})
        looks = tuple(
            replace(look, errand=replace(look.errand, site="foyer"))
            if look.errand.subject == "dossiers"
            else look
            for look in whole.looks
        )
        points = judge(replace(whole, looks=looks), ()).points
        return [(point.rule.code, point.weakness.site) for point in points]

    assert switched("siege", "siege") == []
    assert switched("foyer", "foyer") == [("COP-02", "foyer")]
    assert estate().plan.data_set("dossiers").primary_site == "siege"
    never = estate({"looks": {f"{topic}:dossiers": None for topic in ("base", "copies")}})
    moved = tuple(replace(one, site="foyer") for one in never.audit.errands if one.subject == "dossiers")
    never = replace(never, audit=replace(never.audit, errands=moved))
    assert [item.site for item in held(never) if item.id == "dossiers"] == ["foyer"]


def test_a_database_whose_folder_nobody_knows_is_not_said_to_have_room() -> None:
    """Which disk it fills is not known: the rule is not verified; with its folder it is."""
    base = {"engine": "postgresql", "host": "srv1", "name": "Base trouvée", "port": 5433, "path": None}
    why = "le plan ne dit pas le dossier (« path ») de : Base trouvée"

    def grown(path: str | None) -> Judged:
        plan = {
            "holdings": {"trouvee": {key: value for key, value in {**base, "path": path}.items() if value}}
        }
        facts = {"host": "srv1", "engine": "postgresql", "name": "b", "version": "17.4", "tables": 1}
        copies = [{"copy": {"how": "folder", "site": "foyer", "found": True, "at": NOW, "offline": True}}]
        return judge(
            estate(
                {
                    "plan": plan,
                    "before": {"base:trouvee": [{"base": {**facts, "bytes": 5 * 10**9}}]},
                    "looks": {
                        "base:trouvee": [{"base": {**facts, "bytes": 105 * 10**9}}],
                        "machine:srv1": [{"disk": {"mount": "/srv", "free": 90 * 10**9}}],
                        "copies:trouvee": copies,
                    },
                }
            ),
            (),
        )

    assert [(rule.code, said) for rule, said in grown(None).unjudged] == [("DON-03", why)]
    known = grown("/srv/trouvee")
    assert known.unjudged == ()
    assert ("DON-03", "trouvee") in {point.key for point in known.points}


def test_a_copy_without_a_date_does_not_hide_that_the_others_are_old() -> None:
    """The dated ones are judged, and the sentence says that there is another."""
    copies = [
        {"copy": {"how": "hot", "site": "foyer", "at": None}},
        {"copy": {"how": "vault", "site": "foyer", "at": "2026-10-02T09:00:00Z"}},
    ]
    (point,) = judge(estate({"looks": {"copies:dossiers": copies}}), ()).points
    assert point.rule.code == "COP-04"
    assert point.weakness.sentence == (
        "Dossiers : la copie la plus récente de celles qui ont une date a 3 j, et rien ne doit être perdu"
        " ; 1 autre copie n'a pas de date"
    )


def test_who_lives_with_one_stranger_has_not_met_the_next() -> None:
    """An acceptance holds for one program, whatever it meets; the order in which connections were seen changes nothing."""
    seen = [("203.0.113.7", "maj"), ("203.0.113.7", "curl"), ("203.0.113.9", "maj"), ("203.0.113.9", "")]

    def met(pairs: list[tuple[str, str]]) -> list[tuple[str, Standing]]:
        whole = estate()
        look = whole.look(Topic.CONNECTIONS, "poste1")
        assert look is not None
        facts = [Connection("poste1", "tcp", "10.1.0.20", peer, 443, True, 1, name) for peer, name in pairs]
        others = tuple(one for one in whole.looks if one is not look)
        whole = replace(whole, looks=(*others, replace(look, facts=tuple(facts))))
        note = Acceptance(
            "ECH-02", "poste1→internet:443/maj", "dir", date(2026, 9, 1), "vu", date(2026, 12, 1)
        )
        points = judge(whole, (note,)).points
        return [(one.weakness.subject, one.standing) for one in points if one.rule.code == "ECH-02"]

    expected = [
        ("poste1→internet:443/curl", Standing.OPEN),
        ("poste1→internet:443/maj", Standing.ACCEPTED),
    ]
    assert met(seen) == met(seen[::-1]) == expected
