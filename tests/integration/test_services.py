"""A service driven for real: a cluster of Debian's PostgreSQL, made for the test and dropped after it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.hosts.services import HostServices
from releve.domain.errors import Unreachable
from releve.domain.plan import HostSpec, Manager, Reach, ServiceSpec

pytestmark = pytest.mark.needs("root", "debian-postgresql")


@pytest.fixture
def cluster() -> Iterator[ServiceSpec]:
    """A stopped cluster of its own."""
    version = max((path.parts[4] for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")), key=float)
    name = f"releve{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    made = ["pg_createcluster", "--port", port, "--start-conf", "manual", version, name]
    subprocess.run([*made, "--", "--no-sync"], check=True, capture_output=True)
    try:
        yield ServiceSpec(Manager.PG_CTLCLUSTER, version=version, cluster=name)
    finally:
        subprocess.run(["pg_dropcluster", "--stop", version, name], check=True, capture_output=True)


def test_a_debian_cluster_is_started_and_stopped(cluster: ServiceSpec) -> None:
    """Start, start again, stop, stop again: each is seen, and a cluster that does not exist is unknown."""
    host = LocalHost(HostSpec("ici", "principal", Reach.LOCAL))
    services = HostServices(lambda _: host)
    service = services.service("ici", cluster)
    assert not service.running()
    service.start()
    service.start()
    assert service.running()
    service.stop()
    service.stop()
    assert not service.running()
    absent = ServiceSpec(Manager.PG_CTLCLUSTER, version=cluster.version, cluster="releve-absent")
    with pytest.raises(Unreachable) as caught:
        services.service("ici", absent).stop()
    assert caught.value.code == "service-unknown"
