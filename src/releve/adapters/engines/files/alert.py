"""An alert on a share: a small file beside the position. While it stands, the copy does not follow."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

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


def write(path: Path, alert: Alert | None) -> None:
    """Keep it, durable; or, with None, end it."""
    if alert is None:
        path.unlink(missing_ok=True)
    else:
        draft = path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(alert), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
