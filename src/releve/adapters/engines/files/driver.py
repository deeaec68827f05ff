"""The engine of file shares: writes orders to the keepers of both ends, and looks at what came of them.

A keeper (`entrypoints/worker/keeper.py`) runs at each end, started by the site's worker. This engine acts
through the hosts alone, so that the guard, a switch and a return need no other road than for a database.
Where a keeper is silent the folder can still be barred; nothing else is done behind its back.
"""

from __future__ import annotations

import json
import posixpath
import secrets as randomness
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from releve.adapters.engines.files.marks import say_late
from releve.adapters.engines.files.orders import (
    ANSWER,
    BAR,
    BARRED,
    ORDER,
    TENURE,
    Answer,
    Barred,
    Held,
    Order,
    Role,
    instant,
    read,
    text,
)
from releve.domain.errors import BadInput, Refused, Unreachable
from releve.domain.plan import DataSet, ShareEnd
from releve.domain.ports import Host, Now, Services
from releve.domain.protection import (
    Divergence,
    ServerFacts,
    ServerState,
    StandbyFacts,
    Suspension,
    Tenure,
)
from releve.domain.secret import SecretRef
from releve.domain.units import say_count

_UPTIME = "/proc/uptime"
_BOOT = "/proc/sys/kernel/random/boot_id"
_POLL = 0.05  # seconds between two looks at an answer
_SILENT = 5.0  # seconds without a beat: a keeper beats four times a second, also in the middle of long work
_BORN = 30.0  # the same where nobody waits: its worker may just be starting it, on a machine that comes back
_STUCK = 120.0  # seconds of beats without any progress before long work is given up
_CLOSING = 20.0  # seconds given to the last look of a share that is being closed; then it is closed without


@dataclass(frozen=True, slots=True)
class _End:
    """One look at one end: what was ordered, what is answered, and the folder itself."""

    order: Order | None
    answer: Answer | None
    held: Held | None
    boot: str
    uptime: float  # seconds since that machine started
    barred: Barred | None  # what to give back; None: it is not barred by us
    mode: int | None  # of the folder; None: there is no folder

    @property
    def open(self) -> bool:
        """Whether people can enter."""
        if self.mode is None or self.barred is not None:
            return False
        return self.order is None or self.order.role is Role.CAPTURE or bool(self.mode & 0o077)


class Files:
    """One share with two ends. Implements `Engine`. Making it touches nothing. Safe to share between threads.

    Every method raises `Unreachable` when a machine or a keeper that it needs does not answer, but `facts`.
    """

    def __init__(
        self,
        data_set: DataSet,
        *,
        host: Callable[[str], Host],
        services: Services,  # noqa: ARG002 — the keeper belongs to the worker, not to a service of the plan
        secret: Callable[[SecretRef], str],  # noqa: ARG002 — the keepers read the vault's key themselves
        now: Now,
    ) -> None:
        self._data_set, self._host_of, self._now = data_set, host, now

    # --- looking ------------------------------------------------------------------------------

    def facts(self, site: str) -> ServerFacts:
        """One look: a few ms. The position is the number of the last snapshot taken or applied."""
        at = self._now()
        try:
            return self._facts(site, at, self._look(site))
        except Unreachable:
            return ServerFacts(site, at, ServerState.UNKNOWN)

    def _facts(self, site: str, at: datetime, end: _End) -> ServerFacts:
        answer, held = end.answer or Answer(), end.held or Held()
        safe = instant(answer.safe_until)
        facts = ServerFacts(
            site=site,
            at=at,
            state=self._state(end),
            identity=f"{end.boot}:{held.epoch}",
            position=answer.number,
            epoch=held.epoch,
            epoch_site=held.site,
            safe_until=safe,
            warnings=tuple(_warnings(answer, self._end(site).state)),
        )
        if (
            facts.state is ServerState.OPEN
            and answer.number
            and answer.boot == end.boot
            and answer.safe_uptime
        ):
            age = max(0.0, end.uptime - answer.safe_uptime)
            return replace(facts, standby=StandbyFacts(reply_age=age))
        follows = facts.state is ServerState.CLOSED and answer.settled and held.site != site
        return replace(facts, following=held.site) if follows else facts

    @staticmethod
    def _state(end: _End) -> ServerState:
        if end.mode is None:
            return ServerState.UNKNOWN
        if end.open:
            return ServerState.OPEN
        follows = end.order is not None and end.order.role is Role.FOLLOW
        return ServerState.CLOSED if follows else ServerState.STOPPED

    def _look(self, site: str) -> _End:
        end, host = self._end(site), self._host(site)
        return _End(
            read(Order, host.read(self._file(site, ORDER)), ORDER),
            read(Answer, host.read(self._file(site, ANSWER)), ANSWER),
            read(Held, host.read(self._file(site, TENURE)), TENURE),
            (host.read(_BOOT) or b"").decode().strip(),
            float((host.read(_UPTIME) or b"0").split()[0]),
            read(Barred, host.read(self._file(site, BARRED)), BARRED),
            host.folder(end.path),
        )

    # --- Protectable --------------------------------------------------------------------------

    def prepare(self, site: str) -> None:
        """Have the open folder of `site` captured, under the epoch that it carries."""
        end = self._look(site)
        if end.mode is None:
            raise Unreachable("share-missing", f"« {self._end(site).path} » n'est pas un dossier qui se lit")
        held = end.held or Held()
        self._obey(site, Order("", Role.CAPTURE, held.epoch, site, held.run), silent=_BORN)

    def rebuild(self, site: str, source: str) -> str:
        """Make the folder of `site` follow what `source` captures; returns "already", "rewind" or "clone"."""
        end = self._look(site)
        if end.open and end.order is not None and end.order.role is Role.CAPTURE:
            raise Refused(
                "share-open",
                f"le dossier du site « {site} » est encore ouvert à l'écriture",
                hint="il faut d'abord le fermer (fence)",
            )
        held = self._look(source).held
        if held is None or held.site != source:
            raise Unreachable("source-not-open", f"le site « {source} » ne capture pas encore ce partage")
        order = Order("", Role.FOLLOW, held.epoch, source, held.run)
        known = end.order if end.order and end.order.role is Role.FOLLOW else None
        if known is not None and known.same(replace(order, aside=known.aside)):
            order = replace(order, aside=known.aside)
            if end.answer is not None and end.answer.serial == known.serial and end.answer.settled:
                return "already"
        answer = self._obey(site, order, silent=_BORN)
        return "clone" if answer.empty else "rewind"

    def arm(self, site: str) -> ServerFacts:
        """See the copy at the other site hold what `site` had captured when asked."""
        facts = self.facts(site)
        other = self._data_set.other(site)
        answer = self._wait(
            other, lambda found: found.settled and found.number >= facts.position, silent=_BORN
        )
        if not (answer.settled and answer.number >= facts.position):
            raise Unreachable("share-behind", f"la copie du site « {other} » n'est pas à jour")
        return self.facts(site)

    def save(self, site: str) -> ServerFacts:
        """Take the snapshot of the day. Returns the facts of `site` once it is durable in the vault."""
        end = self._look(site)
        if end.order is None or end.order.role is not Role.CAPTURE:
            raise Unreachable("share-not-captured", f"le site « {site} » ne capture pas ce partage")
        name = self._now().isoformat()
        self._obey(
            site, replace(end.order, serial="", take=name), lambda found: found.taken == name, silent=_BORN
        )
        return self.facts(site)

    # --- Switchable ---------------------------------------------------------------------------

    def ease_stop(self, site: str) -> None:
        """Nothing to hasten: the last look costs what changed since the one before. Raises if it is not open."""
        if self.facts(site).state is not ServerState.OPEN:
            raise Unreachable("share-not-open", f"le dossier du site « {site} » n'est pas ouvert")

    def fence(self, site: str) -> ServerFacts:
        """Bar the folder and see that nobody can write into it; its last changes go to the vault if they can.

        The position is that of the last snapshot when it holds everything, else 0. Raises `Unreachable` when a
        program still writes into the folder, or when nobody there can tell.
        """
        held = self._look(site).held or Held()
        found = self._close(site, Order("", Role.CLOSED, held.epoch, held.site, held.run))
        facts = self.facts(site)
        if found is None or not found.left or facts.state is not ServerState.STOPPED:
            why = (
                found.refused
                if found is not None and found.refused
                else "aucun processus résident ne le voit"
            )
            raise Unreachable(
                "share-not-closed",
                f"le dossier du site « {site} » est fermé à qui arrive, mais n'a pas été vu sans écriture : {why}",
                context={"state": facts.state},
                retryable=True,
            )
        return facts if found.settled else replace(facts, position=0)

    def _close(self, site: str, order: Order) -> Answer | None:
        """What its keeper saw. A silent keeper: we bar the folder ourselves, and nobody saw anything."""
        end = self._look(site)
        if end.mode is None:
            raise Unreachable("share-missing", f"« {self._end(site).path} » n'est pas un dossier qui se lit")
        if end.answer is not None and end.answer.refused:
            order = replace(order, take=self._now().isoformat())  # asked anew: what was seen then may be over
        serial = self._give(site, order)
        limit = time.monotonic() + _CLOSING

        def over(one: Answer) -> bool:
            return one.serial == serial and (one.settled or bool(one.refused) or time.monotonic() > limit)

        try:
            return self._wait(site, over, stuck=_CLOSING)
        except Unreachable:
            self._bar(site)
            return None

    def _bar(self, site: str) -> None:
        end, host = self._look(site), self._host(site)
        if end.mode is None:
            raise Unreachable("share-missing", f"« {self._end(site).path} » n'est pas un dossier qui se lit")
        path = self._end(site).path

        def asked(*argv: str) -> bytes:
            done = host.run(argv, timeout=10.0)
            if done.code:
                said = done.stderr.decode(errors="replace").strip()
                raise Unreachable(
                    "share-not-closed", f"le dossier du site « {site} » ne peut pas être fermé : {said}"
                )
            return done.stdout

        owner, ours = int(asked("stat", "-L", "-c", "%u", path)), int(asked("id", "-u"))
        if end.barred is None or end.barred.owner < 0:
            mode = end.mode if end.barred is None else end.barred.mode
            host.write(self._file(site, BARRED), text(Barred(mode, owner)))
        if owner != ours:
            asked("chown", str(ours), path)
        asked("chmod", f"{BAR:o}", path)

    def promote(self, site: str, tenure: Tenure) -> float:
        """Stop the copy at a named snapshot and open it for writing under `tenure`; the milliseconds it took."""
        end = self._look(site)
        held = end.held or Held()
        if held.epoch > tenure.epoch or (held.epoch == tenure.epoch and held.run != tenure.run):
            raise Refused(
                "epoch-past",
                f"le partage porte déjà l'époque {held.epoch} ({held.run or 'sans bascule'})",
                context={"epoch": str(held.epoch), "run": held.run},
            )
        return self._obey(site, Order("", Role.CAPTURE, tenure.epoch, site, tenure.run)).opened_ms

    def survey(self, lost_side: str, kept_side: str, folder: str) -> Divergence:
        """Put aside, in `folder`, what `lost_side` alone has; it follows `kept_side` from then on."""
        note = posixpath.join(self._end(lost_side).state, f"survey-{posixpath.basename(folder)}.json")
        host = self._host(lost_side)
        known = host.read(note)
        if known is not None and (found := json.loads(known)).get("done"):
            return _divergence(self._data_set.id, lost_side, folder, found)
        end = self._look(lost_side)
        if end.open and end.order is not None and end.order.role is Role.CAPTURE:
            if not self._past(end, kept_side):
                raise Refused(
                    "share-open", f"le dossier du site « {lost_side} » est encore ouvert à l'écriture"
                )
            self.fence(lost_side)  # it has just come back, and its own guard did not get to it yet
        told = json.loads(known) if known else {"whole": end.held is not None, "done": False}
        if known is None:
            self._make_state(lost_side)
            host.write(note, json.dumps(told).encode())
        held = self._look(kept_side).held
        if held is None or held.site != kept_side:
            raise Unreachable("source-not-open", f"le site « {kept_side} » ne capture pas encore ce partage")
        self._obey(
            lost_side, Order("", Role.FOLLOW, held.epoch, kept_side, held.run, aside=folder), silent=_BORN
        )
        found = {**told, "done": True, "rows": self._put_aside(host, folder)}
        host.write(note, json.dumps(found).encode())
        return _divergence(self._data_set.id, lost_side, folder, found)

    def _past(self, end: _End, other: str) -> bool:
        """Whether `other` writes under an epoch that came after the one which this end carries."""
        held = self._look(other).held
        return held is not None and held.site == other and held.epoch > (end.held or Held()).epoch

    @staticmethod
    def _put_aside(host: Host, folder: str) -> dict[str, int]:
        """Files by first folder. Names may be anything: they are told apart by NUL."""
        found = host.run(
            ["find", folder, "-mindepth", "1", "!", "-type", "d", "-printf", "%P\\0"], timeout=600.0
        )
        rows: dict[str, int] = {}
        for path in found.stdout.decode("utf-8", "backslashreplace").split("\0"):
            if path:
                top = path.split("/", 1)[0] if "/" in path else "."
                rows[top] = rows.get(top, 0) + 1
        return rows

    def drained(self, site: str, position: int, timeout: float) -> bool:
        """Whether the copy at `site` holds the snapshot `position`, within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            if self.facts(site).position >= position:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)

    # --- Watched ------------------------------------------------------------------------------

    def open(self, site: str, epoch: int) -> str:
        """Open the folder if the epoch that it carries is `epoch` and its own; returns its identity."""
        held = self._look(site).held or Held(site=site)
        if held.epoch != epoch or held.site != site:
            raise Refused(
                "epoch-not-ours",
                f"le dossier du site « {site} » porte l'époque {held.epoch} du site « {held.site} »",
                context={"epoch": str(held.epoch)},
            )
        self._obey(site, Order("", Role.CAPTURE, epoch, site, held.run))
        return self.facts(site).identity

    def close(self, site: str) -> None:
        """Bar the folder; whoever starts the machine finds it barred."""
        end = self._look(site)
        if end.order is not None and end.order.role is Role.FOLLOW:
            self._bar(
                site
            )  # as its keeper is about to do: another order would undo the one that was just given
            return
        held = end.held or Held()
        self._close(site, Order("", Role.CLOSED, held.epoch, held.site, held.run))

    def relax(self, site: str, suspension: Suspension) -> None:
        """Never asked of a share: it makes no one wait."""
        raise BadInput(
            "not-synchronous",
            f"« {self._data_set.id} » ne fait attendre personne ({site}, {suspension.reason})",
        )

    def restore(self, site: str, at: datetime) -> None:
        """Never asked of a share: it makes no one wait."""
        raise BadInput("not-synchronous", f"« {self._data_set.id} » ne fait attendre personne ({site}, {at})")

    # --- orders -------------------------------------------------------------------------------

    def _obey(
        self,
        site: str,
        order: Order,
        done: Callable[[Answer], bool] = lambda found: found.settled,
        *,
        silent: float = _SILENT,
    ) -> Answer:
        """Give an order and see it carried out. Raises `Refused` when the keeper will not."""
        serial = self._give(site, order)
        found = self._wait(
            site, lambda one: one.serial == serial and (done(one) or bool(one.refused)), silent=silent
        )
        if found.refused:
            raise Refused("share-refused", found.refused)
        return found

    def _give(self, site: str, order: Order) -> str:
        """Write an order, unless it is the one that stands; its serial."""
        host, path = self._host(site), self._file(site, ORDER)
        standing = read(Order, host.read(path), ORDER)
        if standing is not None and order.same(standing):
            return standing.serial
        self._make_state(site)
        order = replace(order, serial=randomness.token_hex(8))
        host.write(path, text(order))
        return order.serial

    def _make_state(self, site: str) -> None:
        state = self._end(site).state
        done = self._host(site).run(["mkdir", "-p", "-m", "700", state], timeout=10.0)
        if done.code:
            raise Unreachable(
                "state-folder",
                f"le dossier d'état {state} ne peut pas être fait : {done.stderr.decode(errors='replace').strip()}",
            )

    def _wait(
        self,
        site: str,
        done: Callable[[Answer], bool],
        *,
        stuck: float = _STUCK,
        silent: float = _SILENT,
    ) -> Answer:
        """The answer, once `done`. As long as there is progress there is no limit: a first copy may take a day."""
        host, path = self._host(site), self._file(site, ANSWER)
        beat, moving = -1, ""
        heard = moved = time.monotonic()
        while True:
            found = read(Answer, host.read(path), ANSWER) or Answer()
            if done(found):
                return found
            now = time.monotonic()
            if found.beat != beat:
                beat, heard = found.beat, now
            if found.moving != moving:
                moving, moved = found.moving, now
            if now - heard > silent:
                raise Unreachable(
                    "share-keeper-silent",
                    f"rien ne répond du partage « {self._data_set.id} » sur le site « {site} »",
                    hint=f"releve worker --site {site} doit y tourner",
                    retryable=True,
                )
            if now - moved > stuck:
                raise Unreachable(
                    "share-stuck",
                    f"le partage « {self._data_set.id} » n'avance plus sur le site « {site} »"
                    + (f" : {found.troubled}" if found.troubled else ""),
                    retryable=True,
                )
            time.sleep(_POLL)

    def _end(self, site: str) -> ShareEnd:
        end = self._data_set.ends[site]
        if not isinstance(end, ShareEnd):
            raise BadInput("not-a-share", f"« {self._data_set.id} » n'est pas un partage de fichiers")
        return end

    def _host(self, site: str) -> Host:
        return self._host_of(self._end(site).host)

    def _file(self, site: str, name: str) -> str:
        return posixpath.join(self._end(site).state, name)


def _warnings(answer: Answer, state: str) -> Iterator[str]:
    if answer.alert:
        yield (
            f"ALERTE, la copie ne suit plus : {answer.alert} ; une personne décide : "
            f"releve share decide {state} back|resume --by NOM"
        )
    if answer.missing:
        yield f"ALERTE sur le coffre : {answer.missing} (releve vault register check --state {state})"
    if answer.refused:
        yield answer.refused
    if answer.troubled:
        yield f"en panne : {answer.troubled}"
    if answer.slowed:
        yield answer.slowed
    if answer.unread:
        unread = say_count(answer.unread, "fichier n'a pas pu être lu", "fichiers n'ont pas pu être lus")
        yield f"{unread} (releve share status {state})"
    if answer.owed:
        yield f"{say_count(answer.owed, 'fichier')} que le coffre n'a pas pu rendre à la copie"
    if answer.ungiven:
        ungiven = say_count(answer.ungiven, "chose n'a", "choses n'ont")
        yield f"{ungiven} pas reçu tous leurs droits, propriétaires ou attributs dans la copie (releve share status {state})"
    if answer.late:
        yield say_late(answer.late)


def _divergence(data_set: str, site: str, folder: str, found: dict[str, object]) -> Divergence:
    counted = found.get("rows")
    rows = (
        tuple(sorted((str(name), int(str(count))) for name, count in counted.items()))
        if isinstance(counted, dict)
        else ()
    )
    whole = bool(found["whole"])
    note = (
        ""
        if whole
        else "le disque de ce site ne porte plus rien du partage : ce que lui seul avait est perdu"
    )
    return Divergence(data_set, site, sum(count for _, count in rows), rows, folder, whole, note)
