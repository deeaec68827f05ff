"""Reading a plan: the file, the value that comes out, what is left alone."""

from __future__ import annotations

import hashlib
import os
from datetime import date, time
from pathlib import Path

import pytest

from releve.cycle.plan.build import NOTHING_TO_LOSE
from releve.cycle.plan.load import judge, judge_file, parse_plan, read_plan
from releve.domain.errors import Exit, PlanError
from releve.domain.plan import DataKind, Manager, ProtectionMode, Reach, Transport
from releve.domain.secret import SecretRef
from releve.domain.units import Span

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
VALID = (ROOT / "tests/golden/plan/valid.yaml").read_bytes()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_nothing_to_be_said_about(path: Path) -> None:
    """The plans shown to newcomers have no fault and no remark."""
    judgement = judge_file(path, today=date(2026, 1, 1))
    assert (judgement.faults, judgement.remarks) == ((), ())


def test_there_are_examples() -> None:
    """The folder holds the two plans that the guides speak of."""
    assert {path.name for path in EXAMPLES} >= {"ehpad.yaml", "deux-serveurs.yaml"}


def test_the_plan_is_what_was_written() -> None:
    """Each block of the file becomes the value of the domain, sites of the ends included."""
    path = ROOT / "examples/deux-serveurs.yaml"
    plan = read_plan(path)
    data = plan.data_set("dossiers")
    assert plan.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert plan.source == str(path)
    assert (data.primary_site, data.relief_site) == ("principal", "secours")
    assert data.kind is DataKind.HEALTH
    assert data.protection.mode is ProtectionMode.REALTIME
    assert data.protection.synchronous
    assert data.protection.transport is Transport.TLS
    assert data.protection.slot_limit == 2 * 10**9
    end = data.ends["secours"]
    assert (end.host, end.address, end.port) == ("srv2", "10.0.0.2", 5432)
    assert end.admin_password == SecretRef("file", "/etc/releve/pg-admin.pw")
    assert (end.service.manager, end.service.version) == (Manager.PG_CTLCLUSTER, "15")
    ssh = plan.host("srv1").ssh
    assert ssh is not None
    assert (plan.host("srv1").reach, ssh.port, ssh.connect_timeout) == (Reach.SSH, 22, 5.0)
    application = plan.application("dui")
    assert application.need.rto == Span(4 * 3600.0)
    assert application.commitment is not None
    assert application.commitment.rto == Span(900.0)
    assert application.ends["secours"].warm
    assert plan.approval("accept-loss").people == 2


def test_a_calendar_keeps_its_days_and_its_midnight() -> None:
    """Days are numbered from Monday, a closing at 24:00 is the midnight that ends the day."""
    text = VALID.replace(b'tue: ["09:00-12:30"]', b'sun: ["20:00-24:00"]')
    calendar = parse_plan(text, "plan.yaml").calendars["bureau"]
    assert calendar.slots == {
        0: ((time(9), time(12, 30)), (time(13, 30), time(17))),
        6: ((time(20), time(0)),),
    }


def test_an_application_without_data_has_nothing_to_lose() -> None:
    """An RPO left out becomes the longest span: every protection keeps it."""
    plan = parse_plan(VALID, "plan.yaml")
    assert plan.application("reseau").need.rpo == NOTHING_TO_LOSE


def test_a_commitment_takes_what_it_does_not_say_from_the_need() -> None:
    """Calendar and loss of a commitment are those of the need when it names none."""
    text = VALID.replace(b"rto: 4 h, rpo: 0", b"rto: 8 h ouvr\xc3\xa9es, rpo: 0, calendar: bureau")
    text = text.replace(b"rto: 15 min, rpo: 0", b"rto: 2 h ouvr\xc3\xa9es")
    promise = parse_plan(text, "plan.yaml").application("dui").commitment
    assert promise is not None
    assert (promise.calendar, promise.rpo) == ("bureau", Span())


def test_relative_paths_stay_as_they_were_written() -> None:
    """The reader resolves nothing: who uses a path knows on which machine."""
    plan = parse_plan(VALID.replace(b"data_dir: /d,", b"data_dir: ./pg/../d,"), "plan.yaml")
    assert plan.data_set("dossiers").ends["principal"].data_dir == "./pg/../d"


def test_waiting_for_the_relief_is_a_word() -> None:
    """`on_relief_lost: wait` never lets the primary go on alone."""
    text = VALID.replace(b"transport: tls", b"transport: tls, on_relief_lost: wait")
    assert parse_plan(text, "plan.yaml").data_set("dossiers").protection.on_relief_lost.wait


@pytest.mark.parametrize("written", [b"0612345678", b"+33612345678", b"0", b"9.10"])
def test_a_phone_number_is_never_counted(written: bytes) -> None:
    """A number where text is expected keeps every digit that was typed."""
    text = VALID.replace(b'"00 00 00 00 01"', written)
    plan = parse_plan(text, "plan.yaml")
    assert plan.contacts[0].phone == written.decode()


def test_a_byte_order_mark_does_no_harm() -> None:
    """Some editors put one before the first character: the plan is read all the same."""
    assert parse_plan(b"\xef\xbb\xbf" + VALID, "plan.yaml").association.name


def test_a_certificate_that_expired_does_not_stop_a_switch() -> None:
    """Without a date, dates are not judged: a plan that was right stays readable in a crisis."""
    hosted = b'role: relief, hosted_by: H, hds: {number: "1", valid_until: 2020-01-01}}'
    text = VALID.replace(b"role: relief}", hosted)
    assert parse_plan(text, "plan.yaml").site("secours").third_party == "H"
    assert [fault.code for fault in judge(text, "plan.yaml", today=date(2026, 1, 1)).faults] == [
        "hds-expired"
    ]


def test_engines_are_an_argument() -> None:
    """A third-party engine is known as soon as its name is handed in."""
    text = VALID.replace(b"engine: postgresql", b"engine: mariadb")
    assert parse_plan(text, "plan.yaml", engines=("mariadb",)).data_set("dossiers").engine == "mariadb"
    with pytest.raises(PlanError):
        parse_plan(text, "plan.yaml")


def test_a_missing_file_is_one_fault_that_says_how_to_begin(tmp_path: Path) -> None:
    """A plan that does not exist gives code, sentence and the command that writes one."""
    with pytest.raises(PlanError) as caught:
        read_plan(tmp_path / "plan.yaml")
    (fault,) = caught.value.faults
    assert (fault.code, fault.line, fault.column) == ("file-missing", 0, 0)
    assert fault.sentence == "ce fichier n'existe pas"
    assert "releve init" in fault.hint
    assert caught.value.exit_code is Exit.BAD_INPUT


def test_a_folder_is_not_a_plan(tmp_path: Path) -> None:
    """A path that cannot be read is one fault with its reason in French."""
    (fault,) = judge_file(tmp_path).faults
    assert (fault.code, fault.sentence) == (
        "file-unreadable",
        "ce fichier ne peut pas être lu (c'est un dossier)",
    )


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """Fifty gigabytes (sparse) are refused on the first megabyte."""
    path = tmp_path / "plan.yaml"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 50 * 10**9)
    assert [fault.code for fault in judge_file(path).faults] == ["file-too-big"]


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """Comments, layout and faults of a file are left as they were."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"# mon plan\nversion:   1 # le premier\n")
    before = path.read_bytes()
    judge_file(path)
    assert path.read_bytes() == before
