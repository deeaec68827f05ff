"""`releve share`: a folder captured into a vault as it changes, and its hot copy elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.units import say_count
from releve.entrypoints.cli.rulings import Beside, CopiesToo, lists_beside, say_copied, say_going, say_past
from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer
from releve.entrypoints.cli.vault_options import KeyRef, Where
from releve.entrypoints.cli.vault_session import DEFAULT_KEY, bar, made, opened, tagged

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

_SILENT = 45.0  # seconds without a word of a process that speaks at least every 30
_SCAN_EVERY = (
    60.0  # seconds between two comparisons of a share that tells nothing of its changes; more often where
)
_SCAN_AT_LEAST = (
    2.0  # less may be lost, but no faster than that; the capture takes a fifth of the time at most anyway
)
_STALE = 90.0  # seconds: an idle share gets a snapshot every 30, and two clocks may differ
Name = Annotated[str, typer.Option("--share", "-s", help="Le nom du partage, le même des deux côtés.")]
Root = Annotated[str, typer.Option("--root", "-r", help="Le dossier du partage, ou celui de sa copie.")]
State = Annotated[
    str, typer.Option("--state", help="Un dossier à nous, pour ce partage et ce côté ; gardez-le.")
]
Epoch = Annotated[
    int, typer.Option("--epoch", min=0, help="L'époque : augmente à chaque changement de côté.")
]


def register(app: typer.Typer) -> None:
    """Add the group `share` to the root."""
    group = typer.Typer(
        help="Un partage de fichiers : capturé en continu, suivi par une copie.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(group, name="share")

    @group.command()
    def capture(
        where: Where,
        share: Name,
        root: Root,
        state: State,
        epoch: Epoch = 0,
        exclude: Annotated[
            list[str], typer.Option("--exclude", help="Ne pas capturer ce motif (*.tmp) ; répétable.")
        ] = [],  # noqa: B006
        watch: Annotated[
            str, typer.Option("--watch", help="Comment entendre : auto, inotify, ou scan (montage muet).")
        ] = "auto",
        every: Annotated[
            float, typer.Option("--scan-every", min=1, help="Secondes entre deux scans d'un montage muet.")
        ] = 60.0,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Capturer sans fin : un instantané par seconde de changement, un toutes les 30 s au repos."""
        answer(as_json, lambda: _capture(where, key, share, root, state, epoch, exclude, watch, every))

    @group.command()
    def follow(
        where: Where,
        share: Name,
        root: Root,
        state: State,
        epoch: Epoch = 0,
        thinning: Annotated[
            bool, typer.Option("--thin/--no-thin", help="Éclaircir l'historique toutes les 10 minutes.")
        ] = True,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Tenir une copie à jour depuis le coffre, sans fin ; elle reste fermée à tous."""
        answer(as_json, lambda: _follow(where, key, share, root, state, epoch, thinning=thinning))

    @group.command()
    def keep(
        share: Annotated[
            str, typer.Argument(metavar="PARTAGE", help="Le jeu de données, tel qu'il est dans le plan.")
        ],
        site: Annotated[str, typer.Option("--site", help="Le site de cette machine (identifiant du plan).")],
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Tenir un bout d'un partage du plan : le worker du site lance cette commande lui-même."""
        answer(as_json, lambda: _keep(plan, site, share))

    @group.command()
    def thin(
        where: Where,
        share: Name,
        state: State,
        yes: Annotated[
            bool, typer.Option("--yes", help="Le faire ; sans cette option, rien n'est touché.")
        ] = False,
        copies_too: CopiesToo = False,
        past_too: Annotated[
            bool,
            typer.Option(
                "--past-too",
                help="Juger aussi ce que seule une époque passée a : ses instantanés jamais appliqués, et son dernier.",
            ),
        ] = False,
        beside: Beside = None,
        key: KeyRef = DEFAULT_KEY,
        as_json: Json = False,
    ) -> None:
        """Éclaircir l'historique et rendre la place, pendant que la capture continue. Au secours seulement."""
        answer(
            as_json,
            lambda: _thin(
                where, key, share, state, beside or (), yes=yes, copies_too=copies_too, past_too=past_too
            ),
        )

    @group.command()
    def decide(
        state: Annotated[str, typer.Argument(metavar="ÉTAT", help="Le dossier d'état de la copie.")],
        what: Annotated[
            str,
            typer.Argument(
                metavar="DÉCISION", help="back (revenir au dernier sain) ou resume (suivre de nouveau)."
            ),
        ],
        by: Annotated[str, typer.Option("--by", help="Qui décide.")],
        words: Annotated[str, typer.Option("--words", help="Pourquoi.")] = "",
        as_json: Json = False,
    ) -> None:
        """Répondre à une alerte : la copie revient au dernier instantané sain, ou suit de nouveau."""
        answer(as_json, lambda: _decide(state, what, by, words))

    @group.command()
    def status(
        state: Annotated[str, typer.Argument(metavar="ÉTAT", help="Le dossier donné à --state.")],
        as_json: Json = False,
    ) -> None:
        """Dire jusqu'à quel instant le partage est à l'abri, et ce qui ne l'est pas."""
        answer(as_json, lambda: _status(state))


def _capture(
    where: str,
    key: str,
    share: str,
    root: str,
    state: str,
    epoch: int,
    excludes: list[str],
    watch: str,
    every: float,
) -> Answer:
    from releve.domain.errors import BadInput, Exit
    from releve.entrypoints.worker.share import Post, capture_share

    if watch not in {"auto", "inotify", "scan"}:
        raise BadInput("usage", f"--watch {watch} : inconnu", hint="--watch auto, inotify ou scan")
    post = Post(tagged(share), Path(root), made(state), epoch, tuple(excludes), every, watch)
    return Answer({"share": share, "stopped": True}, "", Exit(capture_share(opened(where, key), post)))


def _follow(where: str, key: str, share: str, root: str, state: str, epoch: int, *, thinning: bool) -> Answer:
    from releve.domain.errors import Exit
    from releve.entrypoints.worker.share import Post, follow_share

    post = Post(tagged(share), Path(root), made(state), epoch)
    code = follow_share(opened(where, key), post, _thinning(where, key, share, state) if thinning else ())
    return Answer({"share": share, "stopped": True}, "", Exit(code))


def _thinning(where: str, key: str, share: str, state: str, beside: Sequence[str] = ()) -> list[str]:
    """The command that thins a share's history."""
    import sys

    command = ("share", "thin", where, "-s", share, "--state", state, "-k", key, "--yes", *beside)
    return [sys.executable, "-P", "-m", "releve", *command]


def _keep(plan_file: str, site: str, share: str) -> Answer:
    import signal
    import threading

    from releve.domain.errors import BadInput, Exit
    from releve.domain.names import nearest
    from releve.domain.plan import ProtectionMode, ShareEnd, SiteRole
    from releve.entrypoints.cli.session import plan_of
    from releve.entrypoints.worker.keeper import Keeper, KeeperPost
    from releve.entrypoints.worker.resident import end_with_parent

    plan = plan_of(plan_file)
    found = next((one for one in plan.data_sets if one.id == share), None)
    end = found.ends.get(site) if found is not None else None
    if found is None or not isinstance(end, ShareEnd):
        known = [one.id for one in plan.data_sets if isinstance(one.ends.get(site), ShareEnd)]
        raise BadInput(
            "unknown-share",
            f"le plan ne donne pas de partage « {share} » au site « {site} »",
            hint=nearest(share, known, "ce site n'en a aucun"),
        )
    place = found.vault[site]
    role = plan.site(site).role
    beside = lists_beside(plan, site, place.address, end.state)
    post = KeeperPost(
        tagged(share),
        site,
        Path(end.path),
        made(end.state),
        lambda: opened(place.address, str(place.key)),
        found.excludes,
        found.protection.mode is ProtectionMode.DAILY,
        _thinning(place.address, str(place.key), share, end.state, beside) if role is SiteRole.RELIEF else (),
        min(_SCAN_EVERY, max(_SCAN_AT_LEAST, found.protection.rpo.seconds / 2 or _SCAN_EVERY)),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    end_with_parent()
    return Answer({"share": share, "stopped": True}, "", Exit(Keeper(post).run(stop)))


def _thin(
    where: str,
    key: str,
    share: str,
    state: str,
    beside: Sequence[str],
    *,
    yes: bool,
    copies_too: bool,
    past_too: bool,
) -> Answer:
    from releve.domain.units import say_bytes
    from releve.entrypoints.worker.thinning import thin_share

    vault = opened(where, key)
    _must_be_known(vault, share, Path(state))
    with bar("éclaircissage") as tell:
        rulings, merged = thin_share(
            vault,
            tagged(share),
            made(state),
            yes=yes,
            copies_too=copies_too,
            past_too=past_too,
            beside=[Path(one) for one in beside],
            progress=tell,
        )
    gone = [one for one in rulings if not one.keep]
    data = {
        "done": yes,
        "snapshots": len(rulings),
        "removed": [one.snapshot.id for one in gone],
        "rewritten_packs": merged.rewritten,
        "retired_packs": merged.dead + merged.rewritten,
        "recalled_packs": merged.recalled,
        "removed_packs": merged.removed,
        "freed_bytes": merged.freed,
        "waiting_packs": merged.waiting,
    }
    lines = [*say_copied(rulings), *say_past(rulings), say_going(rulings, done=yes)]
    if yes:
        lines.append(
            f"{say_count(merged.rewritten, 'paquet regroupé')}, {say_count(merged.removed, 'enlevé')} ({say_bytes(merged.freed)}), "
            f"{merged.waiting} en attente que plus personne n'y compte"
        )
    return Answer(data, "\n".join(lines))


def _must_be_known(vault: Repository, share: str, state: Path) -> None:
    """Raises `BadInput` for a share of which neither the state folder nor the vault ever heard."""
    from releve.adapters.engines.files.marks import Snapshots, unknown_share
    from releve.entrypoints.worker.register import read_roll
    from releve.entrypoints.worker.share import read_state

    if any(value.get("share") == share for value in read_state(state).values()):
        return
    roll = read_roll(state)
    if (roll is None or roll.scope != share) and not Snapshots(vault, share).look():
        raise unknown_share(vault, share)


def _decide(state: str, what: str, by: str, words: str) -> Answer:
    from dataclasses import replace

    from releve.adapters.engines.files.alert import read, write
    from releve.domain.errors import BadInput

    if what not in {"back", "resume"}:
        raise BadInput("usage", f"« {what} » n'est pas une décision", hint="back ou resume")
    if not by.strip():
        raise BadInput("usage", "il manque qui décide", hint="--by suivi d'un nom")
    path = Path(state) / "alert.json"
    alert = read(path)
    if alert is None:
        raise BadInput("no-alert", "aucune alerte n'attend de réponse ici", hint="releve share status")
    write(path, replace(alert, decision=what, by=by, words=words))
    said = (
        f"la copie revient à l'instantané {alert.clean[:8]} et y reste ; « resume » la fera suivre de nouveau"
        if what == "back"
        else "la copie suit de nouveau"
    )
    return Answer({"decision": what, "clean": alert.clean, "by": by}, said)


def _status(state: str) -> Answer:
    from releve.domain.errors import BadInput, Exit, Unreachable
    from releve.entrypoints.cli.vault_session import utc_now
    from releve.entrypoints.worker.share import read_state

    roles = read_state(Path(state))
    if not roles:
        raise BadInput(
            "share-state",
            f"aucun partage n'a encore rien dit dans {state}",
            hint="lancez releve share capture ou releve share follow",
        )
    now = utc_now()
    lines: list[str] = []
    data: dict[str, object] = {}
    well = True
    for role, value in roles.items():
        try:
            fine, said = _role(role, value, now)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise Unreachable(
                "share-state",
                f"l'état {state}/{role}.json est abîmé",
                hint="le processus le réécrit : relancez-le s'il est arrêté",
            ) from error
        well = well and fine
        lines += said
        data[role] = {**value, "well": fine}
    return Answer(data, "\n".join(lines), Exit.DONE if well else Exit.PROMISE_NOT_KEPT)


def _ungiven(value: Mapping[str, object]) -> list[str]:
    """What a copy's disk, or the follower's account, refused."""
    count, of = int(str(value.get("ungiven") or 0)), value.get("ungiven_of")
    if not count:
        return []
    what = say_count(count, "chose n'a", "choses n'ont")
    return [
        f"  attention : {what} pas reçu tous leurs droits, propriétaires ou attributs dans la copie :",
        *(f"    {one}" for one in (of if isinstance(of, list) else [])),
    ]


def _role(role: str, value: Mapping[str, object], now: datetime) -> tuple[bool, list[str]]:
    from releve.adapters.engines.files.marks import say_late
    from releve.domain.units import say_bytes, say_seconds
    from releve.entrypoints.worker.share import unreadable

    silent = (now - datetime.fromisoformat(str(value["written_at"]))).total_seconds()
    safe = value.get("safe_until")
    verb = "capture" if role == "capture" else "copie"
    lines = [f"{verb} de « {value['share']} » : {value['root']}"]
    if safe:
        at = datetime.fromisoformat(str(safe))
        what = "à l'abri dans le coffre" if role == "capture" else "dans la copie"
        past = (now - at).total_seconds()
        ago = (
            f"il y a {say_seconds(past)}"
            if past >= 0
            else f"dans {say_seconds(-past)} : une horloge est fausse"
        )
        lines.append(f"  {what} jusqu'au {at.astimezone():%d/%m/%Y %H:%M:%S} ({ago})")
    else:
        lines.append("  rien n'est encore à l'abri" if role == "capture" else "  la copie est encore vide")
    if role == "capture":
        lines.append(
            f"  {say_count(int(str(value['files'])), 'fichier')}, {say_bytes(int(str(value['bytes'])))} ; {_heard(value)}"
        )
        if value.get("slowed"):
            lines.append(f"  {value['slowed']}")
    if value.get("open_since"):
        since = datetime.fromisoformat(str(value["open_since"])).astimezone()
        lines.append(f"  des fichiers encore ouverts sont écrits depuis le {since:%d/%m/%Y %H:%M:%S}")
    lines += _ungiven(value)
    troubles = [f"  non lu : {one['path']} : {one['why']}" for one in _items(value, "unread")]
    troubles += [f"  perdu dans le coffre : {one['path']} : {one['why']}" for one in _items(value, "lost")]
    missing = value.get("missing")
    troubles += [f"  {line}" for line in (missing if isinstance(missing, list) else [])]
    if value.get("register_troubled"):
        troubles.append(f"  la liste des instantanés n'est plus tenue : {value['register_troubled']}")
    unread = value.get("unreadable_snapshots")
    troubles += [f"  {line}" for line in unreadable(map(str, unread if isinstance(unread, list) else []))]

    late = value.get("late")
    if isinstance(late, list) and late:
        lines.append(f"  {say_late(len(late))}")
    alert = value.get("alert")
    if isinstance(alert, Mapping):
        troubles.append(f"  ALERTE : {alert['reason']} ; la copie ne suit plus")
        troubles += [f"    par exemple {path}" for path in alert.get("samples") or ()]
        troubles.append(f"    dernier instantané sain : {str(alert['clean'])[:8]}")
        troubles.append(
            f"    décidé par {alert['by']} : {alert['decision']}"
            if alert.get("decision")
            else "    une personne décide : releve share decide ÉTAT back|resume --by NOM"
        )
    if value.get("elsewhere"):
        troubles.append(f"  {value['elsewhere']}")
    if value.get("waits"):
        troubles.append(f"  {value['waits']}")
    if value.get("troubled"):
        troubles.append(f"  en panne : {value['troubled']}")
    if role == "follow" and safe and _stale(value, now):
        troubles.append(
            "  plus rien de nouveau n'arrive : l'autre côté ne capture plus, ou le coffre est coupé"
        )
    if silent > max(_SILENT, 2 * float(str(value.get("every_seconds", 0)))):
        troubles.append(f"  plus aucune nouvelle depuis {say_seconds(silent)} : le processus est arrêté ?")
    return bool(safe) and not troubles, lines + troubles


def _stale(value: Mapping[str, object], now: datetime) -> bool:
    """Whether nothing new came: by our own clock, since the other side's may be ahead; and by theirs."""
    instants = [
        datetime.fromisoformat(str(value[name])) for name in ("safe_until", "applied_at") if value[name]
    ]
    return (now - min(instants)).total_seconds() > _STALE


def _heard(value: Mapping[str, object]) -> str:
    from releve.domain.units import say_seconds

    if value["how"] == "scan":
        return "rien ne dit ce qui y change : tout est comparé par intervalles"
    every = say_seconds(float(str(value["every_seconds"])))
    return f"changements vus par {value['how']}, un instantané toutes les {every}"


def _items(value: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
