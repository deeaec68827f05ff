"""`releve vault register`: the relief's signed list of snapshots, and what it reveals of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.units import say_count
from releve.entrypoints.cli.speech import Answer, Json, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import DEFAULT_KEY, opened

if TYPE_CHECKING:
    from releve.adapters.ledger.register import Register, Signed
    from releve.domain.errors import ReleveError
    from releve.domain.evidence import Flaw

_SHOWN = 20
State = Annotated[
    str,
    typer.Option(
        "--state",
        envvar="RELEVE_REGISTER",
        help="Le dossier de la liste : celui de share follow, de database forget, ou de vault forget --register.",
    ),
]


def register(group: typer.Typer) -> None:
    """Add the group `register` to the group `vault`."""
    app = typer.Typer(
        help="La liste signée des instantanés, tenue par le secours.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.add_typer(app, name="register")

    @app.command()
    def check(where: Where, state: State, key: KeyRef = DEFAULT_KEY, as_json: Json = False) -> None:
        """Comparer le coffre à la liste : ce qu'il a perdu, caché, ou rendu après retrait. Code 3 s'il y a."""
        answer(as_json, lambda: _check(where, key, state))

    @app.command()
    def head(state: State, as_json: Json = False) -> None:
        """Donner la tête de la liste et sa clé publique, à garder hors de la machine."""
        answer(as_json, lambda: _head(state))

    @app.command()
    def export(state: State, as_json: Json = False) -> None:
        """Écrire la liste sur la sortie, une entrée signée par ligne ; avec --json, en un seul document."""
        answer(as_json, lambda: _export(state))

    @app.command()
    def verify(
        file: Annotated[str, typer.Argument(metavar="FICHIER", help="Ce que « export » a écrit.")],
        public: Annotated[str, typer.Option("--public-key", help="La clé publique, 64 chiffres et lettres.")],
        head: Annotated[str, typer.Option("--head", help="Une tête gardée, N:EMPREINTE, à retrouver.")] = "",
        as_json: Json = False,
    ) -> None:
        """Vérifier une liste exportée, sans le coffre ni le secours : la clé publique suffit."""
        answer(as_json, lambda: _verify(file, public, head))

    @app.command()
    def accept(
        where: Where,
        state: State,
        by: Annotated[str, typer.Option("--by", help="Qui le dit.")],
        words: Annotated[str, typer.Option("--words", help="Pourquoi.")] = "",
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Prendre acte, en personne, de tout ce que la liste révèle, et de l'heure de cette machine."""
        answer(as_json, lambda: _accept(where, key, state, by, words))


def _check(where: str, key: str, state: str) -> Answer:
    from releve.adapters.ledger.register import flaws
    from releve.domain.errors import Exit, PromiseBroken
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.worker.register import DAMAGED, Watch, of_scope, told

    found = _register(state)
    try:
        entries, kept = found.snapshot()
        wrong = flaws(entries, kept, found.public)
    finally:
        found.close()
    vault = opened(where, key)
    try:
        watch = Watch(vault, Path(state), None, now=utc_now)
    except PromiseBroken as error:
        if error.code != DAMAGED:
            raise
        return _damaged(error, wrong, len(entries), witness=kept is not None)
    try:
        every = vault.snapshots()
        known = of_scope(vault, watch.roll.scope)
        watch.look(known)
        back = watch.set_back(every)
        count, digest = watch.register.end()
        roll = watch.roll
    finally:
        watch.close()
    lines = [told(one) for one in roll.troubles.values()]
    lines += _wrong(wrong, witness=kept is not None)
    lines += [
        f"le coffre garde une tête que cette liste n'a pas ({one[:20]}…) : elle a été remise en arrière"
        for one in back
    ]
    if len(roll.keys) > 1:
        lines.append(f"la clé de la liste a changé {len(roll.keys) - 1} fois")
    well = not lines
    data = {
        "sound": well,
        "listed": len(roll.live),
        "removed_by_us": roll.removed,
        "entries": len(entries),
        "head": f"{count}:{digest}",
        "troubles": [
            {"what": one.what, "name": one.name, "since": one.since.isoformat(), "mark": one.detail}
            for one in roll.troubles.values()
        ],
        "flaws": _flaws(wrong),
        "set_back": list(back),
        "witness": kept is not None,
        "keys": roll.keys,
    }
    said = (
        f"{say_count(len(roll.live), 'instantané')} sur la liste, {say_count(roll.removed, 'retiré')} par nous, "
        f"{say_count(len(entries), 'entrée')}"
    )
    if well:
        return Answer(data, f"rien ne manque au coffre : {said}")
    return Answer(data, "\n".join([*_first(lines), said]), Exit.PROMISE_NOT_KEPT)


def _damaged(error: ReleveError, wrong: list[Flaw], entries: int, *, witness: bool) -> Answer:
    """What is wrong with a list that can no longer be compared with the store."""
    data = {
        "sound": False,
        "entries": entries,
        "flaws": _flaws(wrong),
        "witness": witness,
        "error": error.as_json(),
    }
    lines = [*_first(_wrong(wrong, witness=witness)), error.sentence, error.hint]
    return Answer(data, "\n".join(lines), error.exit_code)


def _wrong(wrong: list[Flaw], *, witness: bool) -> list[str]:
    lines = [f"{one.sentence} [{one.code}]" for one in wrong]
    lost = "le témoin de la liste a disparu : une fin coupée ne pourrait pas se voir"
    return lines if witness else [*lines, lost]


def _first(lines: list[str]) -> list[str]:
    more = (
        [f"… et {say_count(len(lines) - _SHOWN, 'autre')} (--json les donne tous)"]
        if len(lines) > _SHOWN
        else []
    )
    return [*lines[:_SHOWN], *more]


def _head(state: str) -> Answer:
    found = _register(state)
    try:
        count, digest = found.give_out()
        data = {"head": f"{count}:{digest}", "public_key": found.public}
    finally:
        found.close()
    text = (
        f"tête : {data['head']}\nclé publique : {data['public_key']}\n"
        "gardez ces deux lignes hors de la machine : qui écrit tout son disque pourrait refaire toute la liste"
    )
    return Answer(data, text)


def _export(state: str) -> Answer:
    from releve.adapters.ledger.register import exported

    found = _register(state)
    try:
        lines = [exported(one) for one in found.entries()]
    finally:
        found.close()
    return Answer({"entries": lines}, "\n".join(lines))


def _verify(file: str, public: str, head: str) -> Answer:
    from releve.adapters.ledger.register import flaws, imported
    from releve.domain.errors import BadInput, Exit
    from releve.domain.evidence import Flaw, passes_through
    from releve.domain.os_errors import reason
    from releve.entrypoints.cli.evidence import parse_head

    public = public.strip().lower()
    if len(public) != 64 or set(public) - set("0123456789abcdef"):
        raise BadInput(
            "public-key", "la clé publique n'est pas comprise", hint="64 chiffres et lettres a à f"
        )
    try:
        entries: list[Signed] = [
            imported(line) for line in Path(file).read_text(encoding="utf-8").splitlines() if line
        ]
    except OSError as error:
        raise BadInput("register-file", f"« {file} » ne se lit pas : {reason(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("register-file", f"« {file} » n'est pas une liste exportée : {error}") from error
    wrong = flaws(entries, None, public)
    plain = [one.entry for one in entries]
    if head:
        told = parse_head(head)
        before = (plain[0].seq - 1, plain[0].previous) if plain else told
        if told != before and not passes_through(plain, told):
            wrong.append(Flaw(told[0], "rewritten", f"la liste ne passe pas par la tête {told[0]}"))
    end = f"{plain[-1].seq}:{plain[-1].hash}" if plain else ""
    data = {"sound": not wrong, "entries": len(plain), "head": end, "flaws": _flaws(wrong)}
    if wrong:
        text = "\n".join(f"{one.sentence} [{one.code}]" for one in wrong[:_SHOWN])
        return Answer(data, text, Exit.PROMISE_NOT_KEPT)
    return Answer(
        data, f"{say_count(len(plain), 'entrée')}, tout signé par cette clé, chaîne intacte\ntête : {end}"
    )


def _accept(where: str, key: str, state: str, by: str, words: str) -> Answer:
    from releve.domain.errors import BadInput
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.worker.register import Watch, told

    if not by.strip():
        raise BadInput("usage", "il manque qui le dit", hint="--by suivi d'un nom")
    watch = Watch(opened(where, key), Path(state), None, now=utc_now)
    try:
        known = [told(one) for one in watch.accept(by, words)]
    finally:
        watch.close()
    return Answer(
        {"accepted": known, "by": by},
        "\n".join([*known, f"{say_count(len(known), 'constat')} dont {by} prend acte"]),
    )


def _register(state: str) -> Register:
    from releve.adapters.ledger.register import Register
    from releve.entrypoints.worker.register import no_register

    if not (Path(state) / "register.sqlite3").exists():
        raise no_register(Path(state))
    return Register(Path(state))


def _flaws(wrong: list[Flaw]) -> list[dict[str, object]]:
    return [{"seq": one.seq, "code": one.code, "message": one.sentence} for one in wrong]
