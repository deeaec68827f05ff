"""Rules whose law is wider than one golden case."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from releve.cycle.plan.load import judge

VALID = (Path(__file__).parents[3] / "golden/plan/valid.yaml").read_text(encoding="utf-8")


def codes(text: str) -> list[str]:
    """Codes of the faults of a text, in file order."""
    return [fault.code for fault in judge(text.encode(), "plan.yaml").faults]


def remarks(text: str) -> list[str]:
    """Codes of its remarks."""
    return [remark.code for remark in judge(text.encode(), "plan.yaml").remarks]


def chain(count: int, last: str) -> str:
    """A plan of `count` applications, each needing the next; the last needs `last`."""
    head = VALID.split("applications:")[0]
    items = [
        f"  - {{id: a{n}, name: A{n}, owner: directrice, needs: [{f'a{n + 1}' if n < count - 1 else last}],"
        " tolerance: {rto: 1 h}}"
        for n in range(count)
    ]
    return head + "applications:\n" + "\n".join(items) + "\n"


def test_a_long_chain_of_needs_is_not_a_cycle() -> None:
    """More applications in a row than Python has frames, and no fault."""
    assert codes(chain(1_100, "")) == []


def test_a_long_cycle_is_one_fault_cut_to_a_readable_path() -> None:
    """A ring of eleven hundred applications is said once, with its beginning and its end."""
    (fault,) = judge(chain(1_100, "a0").encode(), "plan.yaml").faults
    assert fault.code == "cycle"
    assert fault.sentence.endswith("a0 → a1 → a2 → a3 → a4 → a5 → … → a1096 → a1097 → a1098 → a1099 → a0")


def test_two_cycles_are_two_faults() -> None:
    """Separate rings are told apart, at the need that closes each."""
    text = chain(4, "a2").replace("needs: [a1]", "needs: [a0]")
    assert codes(text) == ["cycle", "cycle"]


def test_a_block_with_a_fault_still_has_its_name() -> None:
    """A wrong port does not make every reference to its data set dangle."""
    assert codes(VALID.replace("port: 5432", "port: 0", 1)) == ["wrong-value"]


def test_an_id_that_cannot_be_read_makes_no_reference_dangle() -> None:
    """When a contact has lost its id, nobody can say that "technicien" is unknown."""
    assert codes(VALID.replace("{id: technicien, ", "{")) == ["missing-key"]


def test_a_misspelt_required_key_is_one_fault() -> None:
    """`nom` for `name` is not an unknown key and a missing one."""
    faults = judge(VALID.replace("    name: Réseau", "    nom: Réseau").encode(), "p").faults
    assert [(fault.code, fault.hint) for fault in faults] == [("unknown-key", "vouliez-vous dire « name » ?")]


@pytest.mark.parametrize(
    ("need", "promise", "expected"),
    [
        ("8 h ouvrées, rpo: 0, calendar: bureau", "8 h", []),
        ("8 h ouvrées, rpo: 0, calendar: bureau", "9 h ouvrées", ["commitment-rto"]),
        ("2 j ouvrés, rpo: 0, calendar: bureau", "3 j ouvrés", ["commitment-rto"]),
        ("2 j ouvrés, rpo: 0, calendar: bureau", "8 h ouvrées", ["commitment-rto"]),
        ("3 j ouvrés, rpo: 0, calendar: bureau", "8 h ouvrées", []),
        ("4 semaines, rpo: 0", "2 h ouvrées, calendar: bureau", []),
        ("24 h, rpo: 0", "2 h ouvrées, calendar: bureau", ["commitment-rto"]),
    ],
)
def test_a_commitment_is_judged_on_the_clock_of_the_users(
    need: str, promise: str, expected: list[str]
) -> None:
    """Business hours against the wall clock count their longest weekend (days here are worth 3 h 30)."""
    text = VALID.replace("rto: 4 h, rpo: 0", f"rto: {need}").replace("rto: 15 min,", f"rto: {promise},")
    assert codes(text) == expected


@pytest.mark.parametrize("transport", ["clear", "local"])
def test_health_data_on_one_machine_cross_no_network(transport: str) -> None:
    """Two sites of a demonstration on one machine need no encryption."""
    second = re.sub(r"reach: ssh, ssh: \{.*?\}", "reach: local", VALID)
    assert codes(second.replace("transport: tls", f"transport: {transport}")) == []


def test_a_tunnel_entry_satisfies_the_ssh_transport() -> None:
    """With an upstream on both ends, or a loopback address, nothing crosses in clear."""
    text = VALID.replace("transport: tls", "transport: ssh")
    text = text.replace("{host: srv1, address: 10.0.0.1,", "{host: srv1, address: 127.0.0.1,")
    text = text.replace(
        "{host: srv2, address", "{host: srv2, upstream: {address: 127.0.0.1, port: 15432}, address"
    )
    assert codes(text) == []


@pytest.mark.parametrize(
    "written",
    [
        "https://exemple.invalid/?token=abc",
        "host=a password = abc",
        "postgres://u:abc@h/db",
        "psql --password=abc",
    ],
)
def test_a_secret_is_found_wherever_it_stands(written: str) -> None:
    """Connection strings and options with a password are faults in any text."""
    assert codes(VALID.replace("Partage de connexion", written)) == ["secret-clear"]


@pytest.mark.parametrize(
    "written",
    [
        "https://exemple.invalid/a:b@c",
        "le mot de passe est dans l'enveloppe scellée",
        "file:/etc/releve/password=1",
        "http://10.0.0.1:8001/password",
    ],
)
def test_a_text_that_speaks_of_secrets_is_not_one(written: str) -> None:
    """Where a secret is kept may be said, and addresses with a port are no passwords."""
    assert codes(VALID.replace("Partage de connexion", written)) == []


@pytest.mark.parametrize("reference", ["env:PGPASSWORD", "file:./pw", "command:pass show releve/pg"])
def test_a_reference_to_a_secret_is_welcome(reference: str) -> None:
    """The three kinds of reference are read."""
    assert codes(VALID.replace('"file:/pw"', f'"{reference}"')) == []


def test_a_worker_on_loopback_needs_no_secret() -> None:
    """Only an address that others can reach asks for one."""
    listen = 'role: primary, worker: {listen: "[::1]:7401", state: s}}'
    assert codes(VALID.replace("role: primary}", listen)) == []


def test_remarks_never_forbid() -> None:
    """A plan with remarks is a plan."""
    judgement = judge(VALID.replace("Fiches papier", "").encode(), "plan.yaml")
    assert judgement.plan is not None
    assert [remark.code for remark in judgement.remarks] == ["without-it-missing"]
