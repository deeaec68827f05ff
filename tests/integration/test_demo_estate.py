"""The demo estate for real: PostgreSQL, the application, the writers, the judge, the disaster."""

import http.client
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from releve.demo import processes
from releve.demo.estate import Estate
from releve.demo.judge import judge
from releve.demo.plan_text import APPLICATION, POSTGRESQL
from releve.demo.witness import Witness
from releve.domain.errors import BadInput, Refused, Unreachable

LIMIT = 60.0  # seconds for what comes by itself; it takes a fraction of one
PRIMARY, RELIEF = "principal", "secours"


@contextmanager
def standing(*, watch=True):
    """An estate whose primary site works, users let in; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="re-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        estate = Estate(Path(name, "e"), watch=watch)
        try:
            estate.create()
            marks = [site.marker for site in estate.layout.sites]
            for site in (PRIMARY, RELIEF):
                estate.start_site(site)
                estate.start(site, APPLICATION)
            estate.init_database()
            estate.open_gate(PRIMARY)
            yield estate
        finally:
            estate.cleanup()
        assert not [pid for mark in marks for pid in processes.of_site(mark, Path(name))]
        assert not list(Path(name).iterdir())


@pytest.fixture(scope="module")
def estate():
    """One estate for the tests that leave it as they found it."""
    with standing() as made:
        yield made


@pytest.fixture
def admin(estate):
    """A superuser's connection to the primary's database."""
    with psycopg.connect(estate.dsn(PRIMARY), autocommit=True) as link:
        yield link


def until(condition):
    """Wait for something that comes by itself; fail after the limit."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def call(url, method, path, body=None, timeout=10.0):
    """One request: status, headers, content."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


NUMBERS = itertools.count(1)  # an author never uses a number twice: the judge would see a duplicate


def note(**more):
    """A transmission to post."""
    values = {
        "id": str(uuid.uuid4()),
        "author": "Psychologue 9",
        "resident": "Usager 1",
        "text": "Calme.",
        "seq": next(NUMBERS),
    }
    return {**values, **more}


def post(url, body):
    """The status of a posted transmission."""
    return call(url, "POST", "/transmissions", body)[0]


def test_a_transmission_is_written_once_however_often_it_is_sent(estate):
    """201, then 200 with the row that stands, even when the second one says something else."""
    url, first = estate.urls[0], note()
    status, _, created = call(url, "POST", "/transmissions", first)
    assert status == 201
    status, _, again = call(url, "POST", "/transmissions", {**first, "text": "Autre chose."})
    assert (status, json.loads(again)) == (200, json.loads(created))
    rank = json.loads(created)["rank"]
    listed = json.loads(call(url, "GET", f"/transmissions?after={rank - 1}")[2])["transmissions"]
    assert [row["text"] for row in listed if row["id"] == first["id"]] == ["Calme."]
    assert "Calme." in call(url, "GET", "/")[2]


def test_a_bad_transmission_is_refused(estate):
    """What cannot be a transmission is answered 400, and a body too large 413."""
    assert post(estate.urls[0], {"id": "x"}) == 400
    assert post(estate.urls[0], note(text="x" * 70_000)) == 413


def test_a_closed_gate_keeps_users_out_and_lets_health_through(estate):
    """Without its file the gate answers 503 with its header on every user path."""
    for method, path in (("GET", "/"), ("GET", "/transmissions"), ("POST", "/transmissions")):
        status, headers, _ = call(estate.urls[1], method, path, note() if method == "POST" else None)
        assert (status, headers["X-Releve-Gate"]) == (503, "closed")
    estate.shut_gate(PRIMARY)
    try:
        assert post(estate.urls[0], note()) == 503
        assert json.loads(call(estate.urls[0], "GET", "/sante")[2])["database"] == "open"
        assert call(estate.urls[0], "GET", "/sante/ecriture")[0] == 200
    finally:
        estate.open_gate(PRIMARY)
    assert post(estate.urls[0], note()) == 201


WAITS = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'dossier'"


@contextmanager
def waiting_for_nobody(admin):
    """Meanwhile the server waits for a standby that does not exist."""
    admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nowhere'")
    admin.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        admin.execute("SELECT pg_reload_conf()")


class Sending(threading.Thread):
    """A transmission being posted."""

    def __init__(self, url, body):
        super().__init__()
        self.body, self.url, self.status = body, url, None
        self.start()

    def run(self):
        self.status = post(self.url, self.body)


def blocked(url, admin, body=None):
    """A transmission whose commit waits. Without `body`, new ones until the server has read its setting."""
    while True:
        sending = Sending(url, body or note())
        until(
            lambda sent=sending: (
                not sent.is_alive() or admin.execute(f"SELECT count(*) {WAITS}").fetchone()[0]
            )
        )
        if sending.is_alive():
            return sending
        assert body is None
        assert sending.status == 201


def test_a_wait_cut_short_is_never_an_acknowledgement(estate, admin):
    """PostgreSQL answers success with a warning; the application answers 503, and so it does again."""
    url = estate.urls[0]
    with waiting_for_nobody(admin):
        sending = blocked(url, admin)
        for again in (True, False):  # the second time the row is there already, visible and not replicated
            admin.execute(f"SELECT pg_cancel_backend(pid) {WAITS}")
            sending.join(LIMIT)
            assert sending.status == 503
            stored = "SELECT count(*) FROM transmissions WHERE id = %s"
            assert admin.execute(stored, (sending.body["id"],)).fetchone() == (1,)
            if again:
                sending = blocked(url, admin, sending.body)
        assert call(url, "GET", "/sante")[0] == 200
    until(lambda: post(url, sending.body) == 200)


def test_the_same_transmission_does_not_pile_up_while_it_waits(estate, admin):
    """Sent again and again while its commit waits, it takes one connection and not all of them."""
    url = estate.urls[0]
    with waiting_for_nobody(admin):
        sending = blocked(url, admin)
        assert [post(url, sending.body) for _ in range(20)] == [503] * 20
        assert call(url, "GET", "/transmissions")[0] == 200
        assert admin.execute(f"SELECT count(*) {WAITS}").fetchone() == (1,)
    sending.join(LIMIT)
    assert sending.status == 201


def test_the_application_follows_its_database_through_every_state(estate):
    """Gone: 503. In recovery: reads only. Promoted: it writes again. All without a restart."""
    url, layout = estate.urls[0], estate.layout.site(PRIMARY)

    def health():
        status, _, body = call(url, "GET", "/sante")
        return status, json.loads(body)["database"]

    assert post(url, note()) == 201
    estate.stop(PRIMARY, POSTGRESQL)
    assert post(url, note()) == 503
    assert health() == (503, "unreachable")
    (layout.data_dir / "standby.signal").touch()
    estate.start(PRIMARY, POSTGRESQL)
    assert health() == (200, "closed")
    assert call(url, "GET", "/sante/ecriture")[0] == 503
    assert post(url, note()) == 503
    assert call(url, "GET", "/transmissions")[0] == 200
    with psycopg.connect(estate.dsn(PRIMARY), autocommit=True) as link:
        assert link.execute("SELECT pg_promote()").fetchone() == (True,)
    assert post(url, note()) == 201
    assert health() == (200, "open")


def test_the_judge_is_able_to_say_no(estate, admin, tmp_path):
    """Clean after real writes; one row removed is one lost, one copied is one duplicated."""
    with Witness.start(estate.urls, tmp_path, writers=2) as witness:
        until(lambda: witness.live().acknowledged >= 50)
        assert witness.live().by_url == {estate.urls[0]: witness.live().acknowledged}
    verdict = judge(witness.journal, estate.dsn(PRIMARY))
    assert verdict.clean
    assert verdict.acknowledged == len(witness.acks()) == witness.live().acknowledged
    victim, copied = witness.acks()[10], witness.acks()[20]
    copy = (
        "INSERT INTO transmissions (id, author, resident, text, seq)"
        " SELECT gen_random_uuid(), author, resident, text, seq FROM transmissions WHERE id = %s RETURNING id"
    )
    admin.execute("DELETE FROM transmissions WHERE id = %s", (victim.id,))
    extra = admin.execute(copy, (copied.id,)).fetchone()
    verdict = judge(witness.journal, estate.dsn(PRIMARY))
    admin.execute("DELETE FROM transmissions WHERE id = %s", extra)
    assert (verdict.lost, verdict.lost_ids) == (1, (victim.id,))
    assert (verdict.duplicated, verdict.duplicated_keys) == (1, ((copied.author, copied.seq),))


def test_a_restart_is_an_outage_of_its_length(estate, tmp_path):
    """The witness measures what its writers saw: the silence spans the stop of the database."""
    with Witness.start(estate.urls, tmp_path) as witness:
        until(lambda: witness.live().acknowledged >= 20)
        began = time.monotonic()
        estate.stop(PRIMARY, POSTGRESQL)
        down = time.monotonic()
        estate.start(PRIMARY, POSTGRESQL)
        up = time.monotonic()
        seen = witness.live().acknowledged
        until(lambda: witness.live().acknowledged > seen + 20)
        found = witness.outage(began)
    assert up - down <= found.seconds <= up - began + 1.0
    assert found.last_before is not None
    assert found.first_after is not None
    assert found.last_before.monotonic <= down < found.first_after.monotonic
    assert judge(witness.journal, estate.dsn(PRIMARY)).clean


def test_the_witness_stops_with_whoever_started_it(estate, tmp_path):
    """Its standard input closes when its starter dies: it ends by itself, the journal whole."""
    witness = Witness.start(estate.urls, tmp_path)
    until(lambda: witness.live().acknowledged >= 5)
    witness._process.stdin.close()
    assert witness._process.wait(LIMIT) == 0
    witness.stop()
    assert judge(witness.journal, estate.dsn(PRIMARY)).clean


def test_a_destroyed_site_leaves_nothing_and_a_repaired_one_is_empty(tmp_path):
    """Everything dies at once, the disk is gone; the new machine has its programs and no data."""
    with standing() as doomed:
        layout = doomed.layout.site(PRIMARY)
        worker = subprocess.Popen(
            ["/bin/sleep", "600"], env=doomed.environment(PRIMARY), start_new_session=True
        )
        beside = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
        with Witness.start(doomed.urls, tmp_path) as witness:
            until(lambda: witness.live().acknowledged >= 100)
            pids = doomed.pids(PRIMARY)
            assert memory_left_by(pids)
            destroyed = doomed.destroy_site(PRIMARY, extra=[beside.pid])
            assert (worker.wait(LIMIT), beside.wait(LIMIT)) == (-9, -9)
            assert not doomed.pids(PRIMARY)
            assert doomed.pids(RELIEF)
            assert not Path(layout.folder).exists()
            assert destroyed.killed >= 10  # supervisor, application, postmaster with its children, two more
            until(lambda: (witness.live().silence or 0) > 0.5)
            found = witness.outage(destroyed.monotonic)
            assert found.first_after is None
            assert found.seconds >= 0.5
            assert found.last_before.monotonic < destroyed.monotonic + 0.2
        assert witness.acks()[-1] == found.last_before
        assert not memory_left_by(pids)
        with pytest.raises(Unreachable):
            judge(witness.journal, doomed.dsn(PRIMARY))
        with pytest.raises(Unreachable):
            doomed.start(PRIMARY, POSTGRESQL)
        doomed.repair_site(PRIMARY)
        assert not doomed.running(PRIMARY, POSTGRESQL)
        assert not layout.data_dir.exists()
        doomed.start(PRIMARY, APPLICATION)
        assert call(doomed.urls[0], "GET", "/sante")[0] == 503


def memory_left_by(pids):
    """System V segments that these processes made."""
    lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [line for line in lines if int(line[4]) in pids]


def test_an_estate_can_be_taken_up_again():
    """What one process made and left standing, another finds, drives and clears away."""
    with standing(watch=False) as first:
        second = Estate.attach(first.folder)
        assert second.running(PRIMARY, POSTGRESQL)
        assert second.urls == first.urls
        # `create` in the same folder clears the earlier estate away before it makes its own.
        third = Estate(first.folder)
        third.create()
        try:
            assert not [
                pid
                for site in second.layout.sites
                for pid in processes.of_site(site.marker, Path("/nowhere"))
            ]
        finally:
            third.cleanup()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    """The demo refuses to settle on somebody's files."""
    (tmp_path / "letter.txt").write_text("à garder")
    with pytest.raises(BadInput) as caught:
        Estate(tmp_path).create()
    assert caught.value.code == "demo-folder-not-empty"
    assert (tmp_path / "letter.txt").read_text() == "à garder"


def test_a_demo_killed_at_once_leaves_nothing_behind():
    """Kill −9 the process that made the estate: its sites take themselves down, disks included."""
    script = """
import sys, time
from pathlib import Path
from releve.demo.estate import Estate
estate = Estate(Path(sys.argv[1]))
estate.create()
for site in ("principal", "secours"):
    estate.start_site(site)
estate.init_database()
estate.start("principal", "dossier")
print("\\n".join(site.marker for site in estate.layout.sites), flush=True)
time.sleep(600)
"""
    with tempfile.TemporaryDirectory(prefix="re-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        folder = Path(name, "e")
        starter = subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
        )
        marks = [starter.stdout.readline().strip() for _ in range(2)]
        starter.stdout.close()
        assert processes.of_site(marks[0], folder)
        with pytest.raises(Refused):  # a second demo never takes the folder of one that runs
            Estate(folder).create()
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        until(lambda: not [pid for mark in marks for pid in processes.of_site(mark, folder)])
        assert not (folder / "principal").exists()
        assert not (folder / "secours").exists()
