"""The inventory as tables, and the map."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from releve.cycle.audit.rule import Severity, Standing, Weakness, WeakPoint
from releve.cycle.audit.show.facts import TABLES, fact_value, tables
from releve.cycle.audit.show.map import picture
from releve.domain.audit import RESTORED, Acceptance, Answer, Gap, Topic
from releve.domain.seen import (
    KINDS,
    Clock,
    Connection,
    Copy,
    Disk,
    Documents,
    Files,
    Neighbour,
    Path,
    Port,
    Reading,
    Restored,
    Scan,
    System,
    Tally,
    Unit,
)
from tests.fakes.audits import NOW, PLAN, estate
from tests.unit.cycle.audit.test_edit import FOUND
from tests.unit.cycle.audit.test_trend import BAD, PAPER, RULE

SVG = "{http://www.w3.org/2000/svg}"
EVERYTHING = frozenset(Topic)


def test_every_kind_of_fact_has_its_table() -> None:
    """A fact that no table shows would be seen by nobody."""
    assert {table.kind for table in TABLES} == set(KINDS.values())


def test_a_figure_that_nobody_could_read_is_an_empty_cell() -> None:
    """Not seen is not zero: no 0, no None stands for it."""
    seen = [
        (Topic.MACHINE, "serveur", System("serveur", "serveur", "debian", "12")),
        (Topic.PORTS, "commutateur", Port("commutateur", "eth3", up=True, crc=7)),
        (Topic.PATH, "serveur", Path("foyer", "serveur", 20, 1.0)),
    ]
    text = "\n\n".join(tables(estate(seen), EVERYTHING, width=200))
    machine = next(line for line in text.splitlines() if line.startswith("serveur  debian 12"))
    assert machine.split() == ["serveur", "debian", "12"]
    port = next(line for line in text.splitlines() if line.startswith("commutateur"))
    assert port.split() == ["commutateur", "eth3", "A-12", "en", "service", "CRC", "7"]
    assert "100 % de 20" in text
    assert "None" not in text


def test_what_was_not_seen_ends_the_page() -> None:
    """A gap is a row with its reason, under the tables; topics that are not asked for are left out."""
    whole = estate([(Topic.MACHINE, "serveur", Disk("serveur", "/", "ext4", 10**9, 10**8))])
    looks = tuple(
        replace(look, gaps=(Gap("host-unreachable", "accueil ne répond pas"),))
        if look.errand.key == "machine:accueil"
        else look
        for look in whole.looks
    )
    (disks, unseen) = tables(replace(whole, looks=looks), frozenset({Topic.MACHINE}), width=200)
    assert "100 Mo" in disks
    assert "accueil ne répond pas" in unseen
    assert not list(tables(replace(whole, looks=looks), frozenset({Topic.UPS}), width=200))


def test_a_health_that_was_not_seen_says_where_it_is() -> None:
    """An empty cell would look fine: on a virtual machine, behind a server of files, or for want of smartctl."""
    disks = [
        Disk("serveur", "/", "ext4", 10**9, 10**8),
        Disk("serveur", "/mnt", "nfs4", 10**9, 10**8),
        Disk("accueil", "/", "ext4", 10**9, 10**8, health="passed"),
        Disk("accueil", "/srv", "zfs", 10**9, 10**8),
    ]
    seen = estate([(Topic.MACHINE, disk.host, disk) for disk in disks])
    (text,) = tables(seen, frozenset({Topic.MACHINE}), width=200)
    cells = [line.split("  ")[-1].strip() for line in text.splitlines()[-4:]]
    assert sorted(cells) == ["bonne", "chez l'hyperviseur, non vue", "chez son serveur, non vue", "non vue"]


def test_figures_of_files_say_what_they_leave_out() -> None:
    """From which size twins count; the largest a row a sort, no name kept; and that nothing personal was found."""
    largest = (Tally("video", 1, 3 * 10**9), Tally("video", 1, 10**9), Tally("pdf", 1, 10**6))
    seen = [
        (Topic.FILES, "bureautique", Files("bureautique", "serveur", "/srv", 9, 1, 10**9, largest=largest)),
        (Topic.SENSITIVE, "bureautique", Reading("bureautique", "/srv", 2, 10, 0, 0, 1.0)),
    ]
    text = "\n".join(tables(estate(seen), EVERYTHING, width=200))
    assert "d'au moins 1 Mio" in text
    assert "ni leur nom ni leur dossier n'est gardé" in text
    rows = [line.split() for line in text.splitlines() if "vidéos" in line or line.endswith("1 Mo")]
    assert rows == [
        ["bureautique", "vidéos", "2", "4", "Go", "3", "Go"],
        ["bureautique", "PDF", "1", "1", "Mo", "1", "Mo"],
    ]
    assert "aucune donnée personnelle ou de santé n'y a été trouvée" in text


LONG = [
    (
        Topic.NETWORK,
        "lan",
        Scan("lan", "T:22,80-89,U:161", "-sS -T3 --min-rate 300 --max-rate 2000", 9.4, 254, 9),
    ),
    (Topic.PATH, "serveur", Path("foyer", "serveur", 100, 0.02, 12.345, 20.5, 70_800_000)),
    (
        Topic.PORTS,
        "commutateur",
        Port(
            "commutateur", "GigabitEthernet0/12", up=True, speed=10**10, duplex="full", crc=18038, late=7210
        ),
    ),
    (
        Topic.MACHINE,
        "serveur",
        System(
            "serveur",
            "serveur",
            "debian",
            "12",
            "Debian GNU/Linux 12 (bookworm)",
            "6.1.0-31-amd64",
            NOW,
            10**10,
            None,
            None,
            2,
            777,
        ),
    ),
    (Topic.MACHINE, "serveur", Clock("serveur", 0.0034, 0.007, synchronised=False)),
    (Topic.MACHINE, "serveur", Unit("serveur", "interrogation", "running")),
    (Topic.DOCUMENTS, "accueil", Documents("accueil", "/home", ())),
    (
        Topic.FILES,
        "bureautique",
        Files(
            "bureautique",
            "serveur",
            "/srv/partages/bureau\x1b[31mtique",
            1_234_567,
            9,
            10**12,
            (Tally("office", 9, 9),),
            largest=(
                Tally("database", 1, 2 * 10**9),
                Tally("/srv/partages/bureautique/EXEMPLE Camille", 1, 10**9),
            ),
            newest=NOW,
        ),
    ),
    (
        Topic.CONNECTIONS,
        "serveur",
        Connection("serveur", "tcp", "10.1.0.10", "192.0.2.9", 443, False, 2, "nginx"),
    ),
    (
        Topic.COPIES,
        "bureautique",
        Copy("bureautique", "folder", "foyer", "secours:/srv/copies/bureautique", True, NOW, offline=True),
    ),
    (Topic.COPIES, "bureautique", Restored("bureautique", NOW, "trial")),
]


@pytest.mark.parametrize("width", [60, 80])
def test_no_line_of_the_inventory_is_wider_than_the_screen(width: int) -> None:
    """Nor is a name cut to make it so."""
    text = "\n\n".join(tables(estate(LONG), EVERYTHING, width=width))
    assert [line for line in text.splitlines() if len(line) > width] == []
    for name in ("commutateur", "bureautique", "serveur"):
        assert name in text


def test_the_inventory_is_french() -> None:
    """Dates are short, words and commas are French."""
    wide = "\n\n".join(tables(estate(LONG), EVERYTHING, width=200))
    for said in (
        "12 ports  2000 paquets/s",
        "05/10/2026 11:00",
        "+0,003 s",
        "en marche",
        "intégral",
        "CRC 18038",
        "bureautique 9 (9 o)",
        "dossier, hors ligne",
        "/srv/partages/bureau\ufffd[31mtique",
        "bureautique  bases  ",
        "2 Go",
    ):
        assert said in wide, said
    assert wide.split("Documents gardés sur les postes")[1].splitlines()[3].split() == [
        "accueil",
        "/home",
        "aucun",
    ]
    for word in ("--max-rate", "running", "folder", "trial", "lundi", "Camille"):
        assert word not in wide


def test_a_stranger_who_comes_in_has_his_own_country() -> None:
    """Not ours: where nobody says it, it is unknown."""
    text = "\n\n".join(tables(estate(LONG), frozenset({Topic.CONNECTIONS}), width=200))
    row = next(line for line in text.splitlines() if line.startswith("192.0.2.9"))
    assert row.split("  ")[-2:] == ["pays inconnu", "non déclaré, sort du site"]


def test_what_somebody_restored_by_hand_is_shown_with_the_rest() -> None:
    """With the day and the name; a try that failed says so."""
    day = date(2026, 9, 1)
    said = {
        (RESTORED, "bureautique"): Answer(RESTORED, "bureautique", True, "technicien", day, "relu en 4 min"),
        (RESTORED, "paie"): Answer(RESTORED, "paie", False, "technicien", day),
    }
    (text,) = tables(replace(estate(), answers=said), frozenset({Topic.COPIES}), width=200)
    assert text.startswith("Dernières restaurations")
    assert "bureautique  01/09/2026  à la main, dit technicien : relu en 4 min" in text
    assert "paie         01/09/2026  à la main, a échoué, dit technicien" in text


def test_a_fact_becomes_json_whole() -> None:
    """Nested values, dates and what nobody could read."""
    fact = Files("bureautique", "serveur", "/srv", 1, 1, 9, (Tally("pdf", 1, 9),), newest=NOW)
    value = fact_value(fact)
    assert isinstance(value, dict)
    assert value["kinds"] == [{"name": "pdf", "files": 1, "bytes": 9}]
    assert value["newest"] == NOW.isoformat()
    assert value["unopened"] is None


def test_the_map_is_an_svg_that_says_what_it_shows() -> None:
    """Title and description, every site and thing, strangers, the exchange that nobody declared, numbered points."""
    site = WeakPoint(PAPER, Weakness("siege", "pas <imprimé> & pas à jour", "siege"))
    drawn = picture(estate(FOUND), (BAD, site), "Audit fictif")
    root = ET.fromstring(drawn)  # noqa: S314 (our own text)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "Audit fictif"
    words = "\n".join(item.text or "" for item in root.iter())
    for name in ("Siège", "Foyer", "Commutateur", "serveur", "accueil", "10.1.0.77", "192.0.2.9", "Internet"):
        assert name in words
    assert "serveur → 192.0.2.9, port 443 (non déclaré)" in words
    assert "pas <imprimé> & pas à jour" in words
    numbers = [item.text for item in root.iter(f"{SVG}text") if item.get("text-anchor") == "middle"]
    assert sorted(numbers) == ["1", "1", "2", "2"]  # on its place, and in the legend


def test_the_map_is_well_formed_whatever_a_machine_says() -> None:
    """Half a sign and an order to a terminal have a mark in their place, in names and in sentences."""
    mean = "a\x1b[2J\ud800\0"
    facts = (*FOUND, (Topic.NETWORK, "lan", Neighbour("lan", "10.1.0.78", vendor=mean)))
    drawn = picture(estate(facts), (replace(BAD, weakness=Weakness("siege", mean, "siege")),), mean, [mean])
    ET.fromstring(drawn.encode())  # noqa: S314 (our own text)
    assert drawn.count("a\ufffd[2J\ufffd\ufffd") >= 4


def test_the_map_writes_what_a_thing_is_called_and_obeys_none_of_it() -> None:
    """In its box and in what is told of it; a site's name too."""
    text = PLAN.replace("name: Commutateur,", 'name: "Sw <b> & co",').replace(
        "name: Siège,", 'name: "S <i> & A",'
    )
    words = [item.text for item in ET.fromstring(picture(estate(FOUND, text), (), "t")).iter()]  # noqa: S314
    assert words.count("Sw <b> & co") == 1
    assert any((word or "").startswith("Sw <b> & co : ") for word in words)
    assert "S <i> & A" in words


def test_the_map_leaves_out_what_is_accepted() -> None:
    """Somebody lives with it: it is in the list, on request."""
    said = Acceptance("CAB-01", "x", "directrice", date(2026, 10, 1), "bientôt", date(2027, 1, 1))
    drawn = picture(estate(FOUND), (replace(BAD, standing=Standing.ACCEPTED, acceptance=said),), "t")
    assert "7 erreurs" not in drawn


@pytest.mark.parametrize("count", [0, 1, 41, 300])
def test_the_map_holds_whatever_the_number_of_points(count: int) -> None:
    """Forty are explained below the picture; how many more there are is said."""
    points = tuple(
        WeakPoint(
            replace(RULE, severity=Severity.MINOR), Weakness(f"commutateur:eth{n}", f"point {n}", "siege")
        )
        for n in range(count)
    )
    drawn = picture(estate(FOUND), points, "t")
    ET.fromstring(drawn)  # noqa: S314 (our own text)
    assert (f"et {count - 40} autre" in drawn) == (count > 40)
    width = float(ET.fromstring(drawn).get("width", "0"))  # noqa: S314 (our own text)
    discs = list(ET.fromstring(drawn).iter(f"{SVG}circle"))  # noqa: S314 (our own text)
    assert all(7 <= float(item.get("cx", "0")) <= width - 7 for item in discs)
    on_box = {(item.get("cx"), item.get("cy")) for item in discs if item.get("r") == "7"}
    assert len(on_box) == (22 if count > 24 else 0)
    assert ("+18" in drawn) == (count > 24)


def test_the_map_gives_a_place_to_what_has_none() -> None:
    """An application and a person are on no site: they have a frame of their own, and their marks are on it."""
    whole = estate(FOUND)
    homeless = [Weakness("partage", "personne ne l'a essayée"), Weakness("technicien", "seul à savoir")]
    drawn = picture(whole, [WeakPoint(PAPER, found) for found in homeless], "t")
    for word in ("Sans lieu", "Partage", "application", "Technicien", "personne"):
        assert f">{word}</text>" in drawn
    numbers = [item.text for item in ET.fromstring(drawn).iter(f"{SVG}text") if item.get("text-anchor")]  # noqa: S314
    assert sorted(str(item) for item in numbers) == ["1", "1", "2", "2"]
    assert "Sans lieu" not in picture(whole, (BAD,), "t")


def test_the_map_says_what_it_leaves_out_and_names_a_site_once() -> None:
    """An unfinished audit is no clean bill; "Siège" is not said twice in a line."""
    twice = WeakPoint(PAPER, Weakness("siege", "Siège n'a qu'un lien", "siege"))
    drawn = picture(estate(), (twice, BAD), "t", ["cet audit n'est pas fini", "2 règles non vérifiées"])
    assert ">cet audit n'est pas fini, 2 règles non vérifiées</text>" in drawn
    assert "HUM-01, critique : Siège n'a qu'un lien" in drawn
    assert "CAB-01, important : Siège, 7 erreurs" in drawn


def _segments(root: ET.Element) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight pieces of every line of the map."""
    found = []
    for path in root.iter(f"{SVG}path"):
        if path.find(f"{SVG}title") is not None:
            ends = [tuple(map(float, part.split())) for part in path.get("d", "M")[1:].split("L")]
            found += [((one[0], one[1]), (two[0], two[1])) for one, two in pairwise(ends)]
    return found


def test_no_line_of_the_map_passes_behind_a_box() -> None:
    """Whatever stands where, and however many are outside: a line that vanishes behind a box would read as a chain."""
    calls = [
        (
            Topic.CONNECTIONS,
            "serveur",
            Connection("serveur", "tcp", "10.1.0.10", f"192.0.2.{n}", 443, True, 2, "curl"),
        )
        for n in range(1, 12)
    ]
    drawn = picture(estate([*FOUND, *calls]), (), "t")
    root = ET.fromstring(drawn)  # noqa: S314 (our own text)
    boxes = [
        tuple(float(item.get(key, "0")) for key in ("x", "y", "width", "height"))
        for item in root.iter(f"{SVG}rect")
        if item.get("rx") == "5"
    ]
    segments = _segments(root)
    assert len(boxes) > 15
    assert len(segments) > 30
    for (a, b), (c, d) in segments:
        assert a == c or b == d
        for x, y, wide, high in boxes:
            apart = max(a, c) <= x or min(a, c) >= x + wide or max(b, d) <= y or min(b, d) >= y + high
            assert apart, ((a, b), (c, d), (x, y))


def test_the_map_explains_its_signs_and_shows_whole_what_it_cuts() -> None:
    """Each colour and arrow has its word; a sentence without room is a title; the association is named once."""
    long = "trop long pour tenir sur une seule ligne " * 9
    points = [WeakPoint(PAPER, Weakness("association", long, ""))]
    drawn = picture(estate(FOUND), points, "t")
    for word in (
        "point critique",
        "est derrière",
        "échange qui sort d'un site",
        "non déclaré au plan",
        "inconnu du plan",
    ):
        assert word in drawn
    root = ET.fromstring(drawn)  # noqa: S314 (our own text)
    (cut,) = (item for item in root.iter(f"{SVG}text") if "trop long" in "".join(item.itertext()))
    assert long in (cut.findtext(f"{SVG}title") or "")
    assert ">association</text>" in drawn
    assert drawn.count(">association</text>") == 1
    assert ">Association fictive Les…</text>" in drawn
