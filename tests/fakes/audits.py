"""A fictional plan of two sites and what an audit saw of it. Nothing in it is weak nor real."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from releve.cycle.audit.errands import errands
from releve.cycle.audit.estate import Estate
from releve.cycle.plan.load import parse_plan
from releve.domain.audit import Audit, Errand, Look, Topic
from releve.domain.plan import Plan
from releve.domain.seen import Fact

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
PLAN = """\
version: 1
association: {name: "Association fictive Les Tilleuls"}
# les lieux
sites:
  - {id: siege, name: Siège, role: primary}
  - {id: foyer, name: Foyer, role: relief, worker: {listen: "127.0.0.1:7401", state: /tmp/absent}}
hosts:
  - {id: serveur, site: siege, reach: ssh, addresses: [10.1.0.10], behind: [commutateur],
     ssh: {address: 10.1.0.10, user: releve, key: /k, known_hosts: /h}}
  - {id: accueil, site: siege, reach: ssh, kind: workstation, addresses: [10.1.0.20],
     ssh: {address: 10.1.0.20, user: releve, key: /k, known_hosts: /h}}  # le poste de l'accueil
contacts:
  - {id: technicien, name: Technicien, phone: "00 00 00 00 02"}
applications:
  - {id: partage, name: Partage, owner: technicien, tolerance: {rto: 8 h}, without_it: Papier, do_not: [Ressaisir]}
networks: [{id: lan, name: Réseau du siège, site: siege, range: 10.1.0.0/24, country: FR}]
links:
  - {id: fibre, name: Fibre, site: siege, operator: Opérateur fictif, path: nord}
equipment:
  - {id: commutateur, name: Commutateur, kind: switch, site: siege, address: 10.1.0.2,
     snmp: {version: "2c", community: "file:/c"}, behind: [fibre]}
  - {id: onduleur, name: Onduleur, kind: ups, site: siege, nut: onduleur@10.1.0.10}
sockets:
  - {label: A-12, site: siege, room: Accueil, equipment: commutateur, port: eth3}
holdings:
  - {id: bureautique, name: Bureautique, engine: files, host: serveur, path: /srv/bureautique,
     copies: [{site: foyer}]}
flows:
  - {from: accueil, to: serveur, port: 445}
"""


def plan(text: str = PLAN) -> Plan:
    """The plan of a text."""
    return parse_plan(text.encode(), "plan.yaml")


def estate(facts: Sequence[tuple[Topic, str, Fact]] = (), text: str = PLAN, *, name: str = "a1") -> Estate:
    """The plan, wholly looked at: nothing was seen but `facts`, each under its errand."""
    whole = plan(text)
    planned = errands(whole, "foyer")
    looks = [
        Look(
            errand,
            NOW,
            0.1,
            tuple(
                fact for topic, subject, fact in facts if (topic, subject) == (errand.topic, errand.subject)
            ),
        )
        for errand in planned
    ]
    missing = {(topic, subject) for topic, subject, _fact in facts} - {(e.topic, e.subject) for e in planned}
    assert not missing, missing
    return Estate(whole, Audit(name, NOW, "f", "tour", planned, NOW), tuple(looks), NOW)


def errand(topic: Topic, subject: str, site: str = "siege") -> Errand:
    """One errand, in short."""
    return Errand(topic, subject, site)
