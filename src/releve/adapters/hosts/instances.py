"""Starts, stops and questions the instances of the applications of a plan."""

from __future__ import annotations

import http.client
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from releve.domain.errors import BadInput
from releve.domain.os_errors import reason
from releve.domain.plan import AppEnd, HealthCheck, Plan
from releve.domain.ports import Service, Services

_KNOCK = 5.0  # seconds for a connection
GATE_HEADER = "X-Releve-Gate"  # a closed instance answers users 503 with this header set to "closed"


def end_of(plan: Plan, application: str, site: str) -> AppEnd:
    """The instance of an application on a site. Raises `BadInput` when the plan has none."""
    try:
        return plan.application(application).ends[site]
    except KeyError:
        raise BadInput(
            "instance-unknown",
            f"le plan n'a pas d'instance de « {application} » sur le site « {site} »",
            hint="déclarez-la (primary, relief), ou retirez l'application de ce qui bascule",
        ) from None


class PlanInstances:
    """`domain.ports.Instances`, through the services of the plan and HTTP for the health checks."""

    def __init__(self, plan: Plan, services: Services) -> None:
        self._plan = plan
        self._services = services

    def start(self, application: str, site: str) -> None:
        """Start the instance of `site`; no error when it runs."""
        self._service(application, site).start()

    def stop(self, application: str, site: str) -> None:
        """Stop it; no error when it is stopped."""
        self._service(application, site).stop()

    def running(self, application: str, site: str) -> bool:
        """Whether it runs. Raises `Unreachable`."""
        return self._service(application, site).running()

    def check(self, application: str, site: str) -> tuple[bool, str]:
        """Its health checks: whether all passed, and what was seen in one French sentence.

        A health path answers its expected status even while users are kept out: it is asked before
        the opening. Without any check declared, all that can be seen is whether the process runs. An
        instance that does not speak HTTP (a file server: `tcp://host:445`) is asked for a connection.
        """
        end = end_of(self._plan, application, site)
        if end.url.startswith("tcp://"):
            return knock(end.url)
        checks = self._plan.application(application).health
        if not checks:
            running = self.running(application, site)
            state = "le service tourne" if running else "le service est arrêté"
            return running, f"aucun contrôle de santé n'est déclaré ; {state}"
        seen = [ask(end.url, check) for check in checks]
        return all(good for good, _ in seen), " ; ".join(sentence for _, sentence in seen)

    def _service(self, application: str, site: str) -> Service:
        end = end_of(self._plan, application, site)
        return self._services.service(end.host, end.service)


def knock(url: str) -> tuple[bool, str]:
    """Whether `tcp://host:port` takes a connection, and what was seen."""
    where = urlsplit(url)
    try:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=_KNOCK):
            return True, f"{where.netloc} accepte les connexions"
    except TimeoutError:
        return False, f"{where.netloc} n'a pas répondu en {_KNOCK:g} s"
    except OSError as error:
        return False, f"{where.netloc} n'accepte pas de connexion : {reason(error)}"


class _Verbatim(urllib.request.HTTPErrorProcessor):
    """Any status is an answer: redirects are not followed, errors are not raised."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ARG002
        return response

    def https_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ARG002
        return response


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS alone: no proxy of the environment between us and the instance, no file URL."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(), _Verbatim()):
        opener.add_handler(handler)
    return opener


def ask(url: str, check: HealthCheck) -> tuple[bool, str]:
    """One GET, within the time of the check: whether the status is the expected one, and a sentence."""
    where = url.rstrip("/") + check.path
    if not where.startswith(("http://", "https://")):
        raise BadInput("url-invalid", f"« {where} » n'est pas une adresse HTTP")
    try:
        request = urllib.request.Request(where, headers={"User-Agent": "releve"})  # noqa: S310 - checked above
        with _opener().open(request, timeout=check.timeout) as response:
            status, gate = int(response.status), str(response.headers.get(GATE_HEADER, ""))
    except TimeoutError:
        return False, f"{where} n'a pas répondu en {check.timeout:g} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, f"{where} n'a pas répondu : {getattr(error, 'reason', None) or error}"
    if status == check.expect:
        return True, f"{where} a répondu {status}"
    closed = " (l'instance se dit fermée)" if gate == "closed" else ""
    return False, f"{where} a répondu {status}{closed} au lieu de {check.expect}"
