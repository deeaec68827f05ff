"""What can be protected. Engines are found through the entry points of group `releve.engines`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Protocol, cast

from releve.domain.errors import BadInput
from releve.domain.plan import DataSet
from releve.domain.ports import Engine, Host, Now, Services
from releve.domain.secret import SecretRef

GROUP = "releve.engines"


class Make(Protocol):
    """How an engine is made for one data set. Making it touches nothing and connects to nothing."""

    def __call__(
        self,
        data_set: DataSet,
        *,
        host: Callable[[str], Host],
        services: Services,
        secret: Callable[[SecretRef], str],
        now: Now,
    ) -> Engine:
        """The engine of `data_set`."""
        ...


def engine_names() -> tuple[str, ...]:
    """Names a plan may write after `engine:`, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def engine_for(
    data_set: DataSet,
    *,
    host: Callable[[str], Host],
    services: Services,
    secret: Callable[[SecretRef], str],
    now: Now,
) -> Engine:
    """The engine that `data_set` names. Raises `BadInput` when no package brings it."""
    for point in entry_points(group=GROUP, name=data_set.engine):
        make = cast("Make", point.load())
        return make(data_set, host=host, services=services, secret=secret, now=now)
    known = ", ".join(engine_names()) or "aucun"
    raise BadInput(
        "engine-unknown",
        f"le moteur « {data_set.engine} » des données « {data_set.id} » n'est pas connu",
        hint=f"moteurs installés : {known}",
    )
