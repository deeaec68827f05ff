"""What a command found, printed: data on stdout, talk on stderr, one exit-code table. No framework in here."""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from releve.domain.errors import Exit, PlanError, ReleveError

NO_SCREEN = 10_000  # columns
_FACTS = {  # the facts of an error: their key, and how a person reads it
    "by": "par",
    "data_dir": "dossier des données",
    "epoch": "époque",
    "host": "machine",
    "lock": "verrou",
    "name": "nom",
    "path": "chemin",
    "pid": "processus",
    "reason": "raison",
    "run": "déroulé",
    "share": "partage",
    "since": "depuis",
    "state": "état",
    "task": "tâche",
    "vault": "coffre",
    "wanted": "demandé",
    "who": "qui",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found. `data` is JSON-ready; `text` is what a person reads.

    What is long may come one by one: a value of `data` as an iterator of items, `text` as one of lines. Nothing
    can go wrong any more in either, for stdout has begun: one document, whole.
    """

    data: Mapping[str, object] = field(default_factory=dict)
    text: str | Iterator[str] = ""
    exit_code: Exit = Exit.DONE


class Interrupted(KeyboardInterrupt):
    """Ctrl-C where there is something to do next."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


def outcome(as_json: bool, body: Callable[[], Answer]) -> int:
    """Run `body`, print its answer or its error; the exit code of the table."""
    try:
        given = body()
    except ReleveError as error:
        print_error(error, as_json=as_json)
        return int(error.exit_code)
    except KeyboardInterrupt as stop:
        hint = stop.hint if isinstance(stop, Interrupted) else ""
        print_error(ReleveError("interrupted", "interrompu au clavier", hint=hint), as_json=as_json)
        return 130
    except Exception as error:  # noqa: BLE001 (the last net: a fault of ours is shown whole, and never exits 0)
        traceback.print_exc()
        print_error(
            ReleveError(
                "internal",
                f"défaut de Relève : {type(error).__name__} : {error}",
                hint="gardez la trace ci-dessus et ouvrez un ticket",
            ),
            as_json=as_json,
        )
        return int(Exit.OUR_FAULT)
    if as_json:
        sys.stdout.writelines(_document(given.data))
    elif not isinstance(given.text, str):
        sys.stdout.writelines(f"{line}\n" for line in given.text)
    elif given.text:
        sys.stdout.write(given.text.rstrip("\n") + "\n")
    return int(given.exit_code)


def _document(data: Mapping[str, object]) -> Iterator[str]:
    """`json.dumps(data, indent=2)`, the items of an iterator written as they come."""
    if not any(isinstance(value, Iterator) for value in data.values()):
        yield _json(data) + "\n"
        return
    lead = "{\n  "
    for name, value in data.items():
        yield f"{lead}{_json(name)}: "
        lead = ",\n  "
        if not isinstance(value, Iterator):
            yield _json(value, 2)
            continue
        begun = "[\n"
        for item in value:
            yield begun + "    " + _json(item, 4)
            begun = ",\n"
        yield "[]" if begun == "[\n" else "\n  ]"
    yield "\n}\n"


def _json(value: object, deep: int = 0) -> str:
    return _spelled(value).replace("\n", "\n" + " " * deep)


def _spelled(value: object) -> str:
    """As JSON, in signs that stdout has: what it has not is escaped, and read back all the same."""
    written = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    try:
        written.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=2, default=str)
    return written


def print_error(error: ReleveError, *, as_json: bool) -> None:
    """The error on stderr as text, or on stdout as JSON."""
    error = _named(error)
    if as_json:
        sys.stdout.write(_spelled({"error": error.as_json()}) + "\n")
        return
    if isinstance(error, PlanError) and not isinstance(error, _NoPlan):
        for fault in error.faults:
            where = f"{fault.file}:{fault.line}:{fault.column}" if fault.line else fault.file
            sys.stderr.write(f"{where}: {fault.code}: {fault.sentence}\n")
            if fault.hint:
                sys.stderr.write(f"  conseil : {fault.hint}\n")
    sys.stderr.write(f"erreur : {error.sentence} [{error.code}]\n")
    for name, value in error.context.items():
        sys.stderr.write(f"  {_FACTS.get(name, name)} : {value}\n")
    if error.hint:
        sys.stderr.write(f"  conseil : {error.hint}\n")


class _NoPlan(PlanError):
    """The plan is not wrong: there is none."""

    def __init__(self, absent: PlanError) -> None:
        super().__init__(absent.faults)
        self.code = "plan-missing"
        self.sentence = f"il n'y a pas de plan à cet endroit : {Path(self.faults[0].file).absolute()}"
        self.hint = "indiquez le vôtre avec --plan, ou faites-en un premier : releve init ehpad"


def _named(error: ReleveError) -> ReleveError:
    """The error as it is said: a plan that is not there is not "a plan with one fault"."""
    if (
        isinstance(error, PlanError)
        and error.code == "plan-invalid"
        and [fault.code for fault in error.faults] == ["file-missing"]
    ):
        return _NoPlan(error)
    return error


def columns() -> int:
    """How wide the screen is; so wide that nothing is folded when stdout is no screen: rows are then data."""
    return max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else NO_SCREEN


def talk(line: str, *, end: str = "\n") -> None:
    """One line of progress, on stderr; with another `end`, whoever types goes on behind it."""
    sys.stderr.write(line + end)
    sys.stderr.flush()
