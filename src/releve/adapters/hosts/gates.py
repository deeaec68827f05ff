"""Lets users in on one site and keeps them out of the other, without any redirect.

An instance with a gate of kind `file` answers its users only while that file exists. Put it below
/run: a machine that restarts is then closed until a run opens it.

An application without a gate has no other door than its process: open means started, shut means
stopped, and it is open when it runs.
"""

from __future__ import annotations

from collections.abc import Callable

from releve.adapters.hosts.instances import end_of
from releve.adapters.hosts.services import HostServices
from releve.domain.errors import BadInput
from releve.domain.plan import AppEnd, Plan
from releve.domain.ports import Host, Services

_MARK = "ouvert par Relève : retirer ce fichier ferme l'application à ses utilisateurs\n".encode()
_MODE = 0o644  # the application reads it, whatever its account


class Gates:
    """`domain.ports.Access`. Each call is safe to repeat, and raises `Unreachable` or `BadInput`."""

    def __init__(self, plan: Plan, hosts: Callable[[str], Host], services: Services | None = None) -> None:
        self._plan = plan
        self._hosts = hosts
        self._services = services or HostServices(hosts)

    def is_open(self, application: str, site: str) -> bool:
        """Whether the instance of `site` lets users in."""
        end = end_of(self._plan, application, site)
        path = _path(end)
        if not path:
            return self._services.service(end.host, end.service).running()
        return self._hosts(end.host).read(path) is not None

    def open(self, application: str, site: str) -> None:
        """Let users in."""
        end = end_of(self._plan, application, site)
        path = _path(end)
        if not path:
            self._services.service(end.host, end.service).start()
        elif self._hosts(end.host).read(path) is None:
            self._hosts(end.host).write(path, _MARK, mode=_MODE)

    def shut(self, application: str, site: str) -> None:
        """Keep users out."""
        end = end_of(self._plan, application, site)
        path = _path(end)
        if not path:
            self._services.service(end.host, end.service).stop()
        else:
            self._hosts(end.host).remove(path)


def _path(end: AppEnd) -> str:
    """The gate's file; empty without a gate."""
    if end.gate is None:
        return ""
    if end.gate.kind != "file" or not end.gate.path:
        raise BadInput(
            "gate-unknown",
            f"porte d'accès inconnue : « {end.gate.kind} »",
            hint="la porte connue est {kind: file, path: /run/…}",
        )
    return end.gate.path
