"""When the files of a store that dates none of them were first shown to us: what a REST server does not tell.

A sighting bounds the true date from both sides: the file came before the first listing that showed it, and after the
last one that did not. Each bound is used on the side where being wrong keeps more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from releve.adapters.notes import put
from releve.adapters.vault.store import Kind
from releve.domain.errors import Unreachable
from releve.domain.os_errors import unwritable


@dataclass(frozen=True, slots=True)
class Sighting:
    """`before`: the file was there then. `after`: it was not there then; None: we had not looked."""

    before: datetime
    after: datetime | None = None


class Sightings:
    """A small file of the relief, written whole. Lost, everything is new again, and stays that much longer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked: dict[str, datetime] = {}
        self._seen: dict[str, dict[str, Sighting]] = {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            for kind, value in found.items():
                self._looked[kind] = datetime.fromisoformat(value["looked"])
                self._seen[kind] = {
                    name: Sighting(
                        datetime.fromisoformat(before), datetime.fromisoformat(after) if after else None
                    )
                    for name, (before, after) in value["files"].items()
                }
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreachable(
                "share-state",
                f"la note {path} ne se lit pas : {error}",
                hint="supprimez-la : tout y passera pour neuf, et attendra un jour de plus",
            ) from error

    def look(self, kind: Kind, names: Iterable[str], at: datetime) -> Mapping[str, Sighting]:
        """Note a whole listing, by the clock `at`; durable on return. What is no longer listed is forgotten."""
        before, looked = self._seen.get(kind, {}), self._looked.get(kind)
        fresh = Sighting(at, looked)
        self._seen[kind] = {name: before.get(name, fresh) for name in names}
        self._looked[kind] = at
        self._keep()
        return self._seen[kind]

    def _keep(self) -> None:
        value = {
            kind: {
                "looked": self._looked[kind].isoformat(),
                "files": {
                    name: [one.before.isoformat(), one.after.isoformat() if one.after else None]
                    for name, one in files.items()
                },
            }
            for kind, files in self._seen.items()
        }
        try:
            put(self._path, json.dumps(value).encode())
        except OSError as error:
            raise unwritable(self._path, error, "share-state") from error
