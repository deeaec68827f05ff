"""The machine that we run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from releve.adapters.hosts.agent import Failed, Machine
from releve.adapters.hosts.failures import error_of
from releve.domain.plan import HostSpec
from releve.domain.ports import Completed


class LocalHost:
    """`domain.ports.Host` on this machine. Safe to call from several threads.

    Programs start in "/", with a clean environment (PATH, HOME, USER, LOGNAME, LANG and `env`), and
    die with us. `user` needs root, unless it is the account that we run under.
    """

    def __init__(self, spec: HostSpec) -> None:
        self.id = spec.id
        self._machine = Machine(spec.root, tied=True)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program, never through a shell. Raises `Unreachable`, `BadInput`."""
        with self._speaking():
            return Completed(*self._machine.run(argv, stdin=stdin, user=user, timeout=timeout, env=env))

    def read(self, path: str) -> bytes | None:
        """Bytes of a file; None when there is none. Raises `Unreachable`."""
        with self._speaking():
            return self._machine.read(path)

    def folder(self, path: str) -> int | None:
        """Permissions of a folder; None when there is no folder of that name. Raises `Unreachable`."""
        with self._speaking():
            return self._machine.folder(path)

    def write(self, path: str, data: bytes, *, user: str = "", mode: int = 0o600) -> None:
        """Write a file whole, owned by `user`; on error the old content stands. Raises `Unreachable`."""
        with self._speaking():
            self._machine.write(path, data, user=user, mode=mode)

    def remove(self, path: str) -> None:
        """Remove a file; no error when there is none. Raises `Unreachable`."""
        with self._speaking():
            self._machine.remove(path)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except Failed as failed:
            raise error_of(self.id, failed) from None
