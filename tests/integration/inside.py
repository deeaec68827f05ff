"""This machine, reached through another command: one that enters a namespace, or drops rights first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releve.adapters.hosts.local import LocalHost
from releve.domain.plan import HostSpec
from releve.domain.ports import Completed


class Inside(LocalHost):
    """What is run goes after the words of `before`."""

    def __init__(self, spec: HostSpec, before: Sequence[str]) -> None:
        super().__init__(spec)
        self._before = tuple(before)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        return super().run([*self._before, *argv], stdin=stdin, user=user, timeout=timeout, env=env)
