"""A machine and its services in memory. The machine passes the contract of tests/contract/test_host.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from releve.adapters.hosts.agent import Failed
from releve.adapters.hosts.failures import error_of
from releve.domain.plan import ServiceSpec
from releve.domain.ports import Completed


@dataclass(frozen=True)
class Call:
    """A program that was asked for."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


# what a program answers; None when it never ends
Program = Callable[[Call], Completed | None]


@dataclass
class FakeHost:
    """`domain.ports.Host` in memory. Programs are found by the last part of their path.

    `gone`: the machine answers nothing. `full`: its disk takes no more. `users`: accounts it knows;
    `calls`: what was run on it, in order.
    """

    id: str = "fake"
    programs: dict[str, Program] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    users: frozenset[str] = frozenset({"root", "postgres", "nobody"})
    gone: bool = False
    full: bool = False
    calls: list[Call] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        self._answer(user)
        if not argv or any("\0" in word for word in argv):
            raise error_of(self.id, Failed("argument-invalid", reason="argument"))
        call = Call(tuple(argv), stdin, user, dict(env or {}))
        self.calls.append(call)
        program = self.programs.get(argv[0].rsplit("/", 1)[-1])
        if program is None:
            raise error_of(self.id, Failed("program-missing", program=argv[0]))
        done = program(call)
        if done is None:
            raise error_of(self.id, Failed("host-timeout", program=argv[0], seconds=f"{timeout:g}"))
        return done

    def read(self, path: str) -> bytes | None:
        self._answer("", path)
        return self.files.get(path)

    def folder(self, path: str) -> int | None:
        self._answer("", path)
        return 0o700 if any(name.startswith(path.rstrip("/") + "/") for name in self.files) else None

    def write(self, path: str, data: bytes, *, user: str = "", mode: int = 0o600) -> None:
        self._answer(user, path)
        if self.full:
            raise error_of(self.id, Failed("disk-full", path=path, reason="fake"))
        self.files[path] = data

    def remove(self, path: str) -> None:
        self._answer("", path)
        self.files.pop(path, None)

    def _answer(self, user: str, path: str = "/") -> None:
        if self.gone:
            raise error_of(self.id, Failed("host-gone", root="fake"))
        if user and user not in self.users:
            raise error_of(self.id, Failed("user-unknown", user=user))
        if not path.startswith("/") or "\0" in path:
            raise error_of(self.id, Failed("argument-invalid", reason=path))


@dataclass
class FakeService:
    """A process that only remembers whether it runs."""

    up: bool = False

    def start(self) -> None:
        self.up = True

    def stop(self) -> None:
        self.up = False

    def running(self) -> bool:
        return self.up


class FakeServices:
    """`domain.ports.Services` in memory: one service for each (host, spec)."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, ServiceSpec], FakeService] = {}

    def service(self, host_id: str, spec: ServiceSpec) -> FakeService:
        return self.made.setdefault((host_id, spec), FakeService())
