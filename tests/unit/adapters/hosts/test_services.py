"""Services, gates and instances, driven on machines in memory."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from releve.adapters.hosts.gates import Gates
from releve.adapters.hosts.instances import PlanInstances, ask, knock
from releve.adapters.hosts.services import HostServices
from releve.domain.errors import BadInput, Unreachable
from releve.domain.plan import (
    AppEnd,
    Application,
    Association,
    GateSpec,
    HealthCheck,
    Manager,
    Plan,
    ServiceSpec,
    Tolerance,
)
from releve.domain.ports import Completed, Service
from releve.domain.units import Span
from tests.fakes.hosts import Call, FakeHost, FakeServices

UNIT = ServiceSpec(Manager.SYSTEMD, unit="dui.service")


@dataclass
class Systemd:
    """A unit: `states` are what it says, one a question; the last one stays."""

    states: list[str]
    code: int = 0
    on_start: list[str] = field(default_factory=lambda: ["active"])
    on_stop: list[str] = field(default_factory=lambda: ["inactive"])
    load: str = "loaded"
    acts: list[str] = field(default_factory=list)

    def __call__(self, call: Call) -> Completed:
        if call.argv[1] == "show":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return Completed(0, f"LoadState={self.load}\nActiveState={state}\n".encode(), b"")
        verb = call.argv[2]
        self.acts.append(verb)
        if self.code == 0:
            self.states = list(self.on_start if verb == "start" else self.on_stop)
        return Completed(self.code, b"", b"Job for dui.service failed" if self.code else b"")


def service(unit: Systemd) -> Service:
    """A service whose clock advances by what it waits."""
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    host = FakeHost("srv1", {"systemctl": unit})
    return HostServices(lambda _: host, clock=lambda: now[0], wait=wait).service("srv1", UNIT)


def test_a_stopped_service_is_started_once() -> None:
    """Starting starts; starting again sees that it runs and does nothing."""
    unit = Systemd(["inactive"])
    driven = service(unit)
    driven.start()
    driven.start()
    assert unit.acts == ["start"]
    assert driven.running()


def test_a_running_service_is_stopped_once() -> None:
    """Stopping stops; stopping again does nothing, and a failed unit counts as stopped."""
    unit = Systemd(["active"], on_stop=["deactivating", "deactivating", "failed"])
    driven = service(unit)
    driven.stop()
    driven.stop()
    assert unit.acts == ["stop"]
    assert not driven.running()


def test_a_service_on_its_way_is_waited_for() -> None:
    """A unit that is starting is neither running nor stopped: it is asked again."""
    assert service(Systemd(["activating", "activating", "active"])).running()


def test_a_service_on_its_way_for_ever_is_unknown() -> None:
    """A unit that never settles ends as unreachable: nobody can tell."""
    with pytest.raises(Unreachable) as caught:
        service(Systemd(["activating"])).running()
    assert caught.value.code == "service-unknown"


def test_a_start_that_fails_says_what_the_manager_said() -> None:
    """A refused start is an error with the last words of the manager and the command to try."""
    with pytest.raises(Unreachable) as caught:
        service(Systemd(["inactive"], code=1)).start()
    assert caught.value.code == "service-not-started"
    assert "Job for dui.service failed" in caught.value.sentence
    assert "systemctl --no-ask-password start -- dui.service" in caught.value.hint


def test_a_stop_that_does_not_stop_is_an_error() -> None:
    """A stop that reports success while the unit still runs is not believed."""
    with pytest.raises(Unreachable) as caught:
        service(Systemd(["active"], on_stop=["active"])).stop()
    assert caught.value.code == "service-not-stopped"


def test_an_absent_unit_is_bad_input() -> None:
    """A unit that does not exist is never taken for a stopped one."""
    with pytest.raises(BadInput) as caught:
        service(Systemd(["inactive"], load="not-found")).stop()
    assert caught.value.code == "service-absent"


def test_a_status_that_tells_nothing_is_unreachable() -> None:
    """A status command with another code than 0 or 3 leaves the state unknown."""
    spec = ServiceSpec(Manager.COMMAND, start=("ctl", "on"), stop=("ctl", "off"), status=("ctl", "ask"))
    host = FakeHost("srv1", {"ctl": lambda call: Completed(1, b"", b"socket absent")})
    driven = HostServices(lambda _: host).service("srv1", spec)
    for act in (driven.start, driven.stop, driven.running):
        with pytest.raises(Unreachable) as caught:
            act()
        assert caught.value.code == "service-unknown"
        assert "socket absent" in caught.value.sentence
    assert [call.argv for call in host.calls] == [("ctl", "ask")] * 3


def plan(
    gate: GateSpec | None, health: tuple[HealthCheck, ...] = (), url: str = "http://127.0.0.1:9"
) -> Plan:
    """One application, one site."""
    need = Tolerance(Span(60), Span())
    end = AppEnd("srv1", url, UNIT, gate)
    application = Application("dui", "DUI", "directrice", need, health=health, ends={"principal": end})
    return Plan(Association("Association fictive"), (), (), (), (application,), (), {}, {})


def test_a_gate_opens_and_shuts_by_its_file() -> None:
    """The file is there while users are let in; each call can be repeated, and the process is left alone."""
    host, services = FakeHost(), FakeServices()
    gates = Gates(plan(GateSpec("file", "/run/dui/open")), lambda _: host, services)
    assert not gates.is_open("dui", "principal")
    for _ in range(2):
        gates.open("dui", "principal")
        assert gates.is_open("dui", "principal")
    assert "/run/dui/open" in host.files
    for _ in range(2):
        gates.shut("dui", "principal")
        assert not gates.is_open("dui", "principal")
    assert services.made == {}


def test_without_a_gate_the_process_is_the_door() -> None:
    """An application without gate is open when it runs, and shut by stopping it."""
    services = FakeServices()
    gates = Gates(plan(None), lambda _: FakeHost(), services)
    assert not gates.is_open("dui", "principal")
    gates.open("dui", "principal")
    assert services.made["srv1", UNIT].up
    assert gates.is_open("dui", "principal")
    gates.shut("dui", "principal")
    assert not services.made["srv1", UNIT].up


def test_a_gate_of_a_lost_machine_is_not_said_shut() -> None:
    """A machine that does not answer leaves the gate unknown, never closed."""
    gates = Gates(plan(GateSpec("file", "/run/dui/open")), lambda _: FakeHost(gone=True))
    for act in (gates.is_open, gates.open, gates.shut):
        with pytest.raises(Unreachable):
            act("dui", "principal")


def test_unknown_gates_and_instances_are_bad_input() -> None:
    """A gate of another kind, an unknown application and a site without instance are bad input."""
    gates = Gates(plan(GateSpec("dns", "x")), lambda _: FakeHost())
    for application, site in (("dui", "principal"), ("autre", "principal"), ("dui", "secours")):
        with pytest.raises(BadInput):
            gates.open(application, site)


def test_an_instance_follows_its_service() -> None:
    """An instance is started, stopped and seen through its service."""
    instances = PlanInstances(plan(None), FakeServices())
    instances.start("dui", "principal")
    assert instances.running("dui", "principal")
    instances.stop("dui", "principal")
    assert not instances.running("dui", "principal")


def test_without_health_checks_only_the_process_is_seen() -> None:
    """An application without checks is judged on its process, and it is said that nothing was asked."""
    services = FakeServices()
    instances = PlanInstances(plan(None), services)
    assert instances.check("dui", "principal") == (
        False,
        "aucun contrôle de santé n'est déclaré ; le service est arrêté",
    )
    instances.start("dui", "principal")
    assert instances.check("dui", "principal")[0]


class Pages(BaseHTTPRequestHandler):
    """A small application: healthy, moved, closed and silent pages."""

    def do_GET(self) -> None:
        """Answer one page."""
        if self.path == "/silence":
            self.rfile.read(1)  # until the client goes away
            return
        status = {"/sante": 200, "/ailleurs": 302, "/ferme": 503}.get(self.path, 404)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/sante")
        if status == 503:
            self.send_header("X-Releve-Gate", "closed")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a running application."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_health_is_the_expected_status(url: str) -> None:
    """A check passes on its expected status alone; redirects are answers and are not followed."""
    assert ask(url, HealthCheck("/sante")) == (True, f"{url}/sante a répondu 200")
    assert ask(url, HealthCheck("/ailleurs")) == (False, f"{url}/ailleurs a répondu 302 au lieu de 200")
    assert ask(f"{url}/", HealthCheck("/ailleurs", expect=302))[0]


def test_a_closed_instance_is_said_closed(url: str) -> None:
    """The 503 of a closed gate is told from a broken application."""
    good, seen = ask(url, HealthCheck("/ferme"))
    assert not good
    assert "l'instance se dit fermée" in seen


def test_a_silent_instance_is_given_up_in_time(url: str) -> None:
    """An instance that accepts and says nothing fails its check within the time of the check."""
    assert ask(url, HealthCheck("/silence", timeout=0.2)) == (
        False,
        f"{url}/silence n'a pas répondu en 0.2 s",
    )


def test_an_absent_instance_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listening fails the check; no proxy of the environment is asked in its place."""
    monkeypatch.setenv("http_proxy", url)
    good, seen = ask("http://127.0.0.1:9", HealthCheck("/sante"))
    assert not good
    assert "n'a pas répondu" in seen


def test_only_http_is_asked() -> None:
    """A file is not a health page."""
    with pytest.raises(BadInput):
        ask("file:///etc", HealthCheck("/passwd"))


def test_every_check_must_pass(url: str) -> None:
    """One failed check fails the application, and each one is told."""
    checks = (HealthCheck("/sante"), HealthCheck("/rien"))
    good, seen = PlanInstances(plan(None, checks, url), FakeServices()).check("dui", "principal")
    assert not good
    assert seen == f"{url}/sante a répondu 200 ; {url}/rien a répondu 404 au lieu de 200"


def test_an_instance_that_does_not_speak_http_is_asked_for_a_connection() -> None:
    """A file server: well when its port takes a connection, not when nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert knock(f"tcp://127.0.0.1:{port}") == (True, f"127.0.0.1:{port} accepte les connexions")
    good, said = knock(f"tcp://127.0.0.1:{port}")
    assert not good
    assert "n'accepte pas de connexion" in said
