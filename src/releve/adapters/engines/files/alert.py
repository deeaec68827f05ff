"""An alert on a share: a small file beside the position. While it stands, the copy does not follow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from releve.adapters.notes import drop, put
from releve.domain.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Alert:
    """Why the copy stopped. `clean`: the last snapshot before the first sign; instants are ISO 8601.

    `decision`: "" (a person is awaited), "back" (bring the copy to `clean`, and stay there), "resume".
    """

    reason: str
    since: str
    clean: str
    samples: tuple[str, ...] = ()
    decision: str = ""
    by: str = ""
    words: str = ""


def read(path: Path) -> Alert | None:
    """The alert that stands; None. Raises `Unreachable` when it cannot be read: then nothing goes on."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Alert(**{**value, "samples": tuple(value.get("samples", ()))})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise Unreachable("share-state", f"l'alerte {path} ne se lit pas : {error}") from error


def say(alert: Alert | None) -> str:
    """Why the copy does not follow, in one line; empty when it does."""
    if alert is None or alert.decision == "resume":
        return ""
    back = f" ; la copie reste au dernier instantané sain, décidé par {alert.by}"
    return alert.reason + (back if alert.decision else "")


def end(path: Path, epoch: int) -> None:
    """The copy opens under `epoch`: the alert ends, and stays beside as evidence. Durable on return. Raises OSError."""
    if path.exists():
        put(path.with_name(f"alert-before-{epoch}.json"), path.read_bytes())
        drop(path)


def write(path: Path, alert: Alert | None) -> None:
    """Keep it; or, with None, end it. Durable on return."""
    if alert is None:
        drop(path)
    else:
        put(path, json.dumps(asdict(alert)).encode())
