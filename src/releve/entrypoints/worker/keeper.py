"""The keeper of one end of a share: obeys the order in its state folder, and says how it stands.

    capture   the folder is open and is captured      follow   it is barred and follows the vault
    closed    it is barred, its last changes in the vault

Killed at any instant, it finds on its disk where it was: the order, whose epoch the folder carries
(`tenure.json`), whether it is barred (`barred.json`, written before the folder is), how far the copy is.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from releve.adapters.engines.files.alert import end as end_alert
from releve.adapters.engines.files.alert import say as say_alert
from releve.adapters.engines.files.capture import WORKROOM, down
from releve.adapters.engines.files.follow import clear_workroom
from releve.adapters.engines.files.following import Position
from releve.adapters.engines.files.marks import Snapshots, shared_base
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
    read,
    text,
)
from releve.adapters.engines.files.place import shown
from releve.adapters.engines.files.writers import Look, open_writers
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.notes import put
from releve.adapters.vault.metadata import put_back
from releve.domain.errors import Refused, ReleveError, Unreachable
from releve.domain.os_errors import reason, unwritable
from releve.domain.units import say_count
from releve.entrypoints.worker.resident import boot, say
from releve.entrypoints.worker.share import Copying, Post, capturing, dated, followed, unreadable
from releve.entrypoints.worker.thinner import Thinner

if TYPE_CHECKING:
    from releve.adapters.engines.files.live import Live
    from releve.adapters.vault.repository import Repository

_TURN = 0.25  # seconds: at most so long until a new order is read
_BEAT = 0.5  # seconds between two words of a keeper at work
_RETRY = 2.0  # seconds between two attempts while the vault or the disk says no
_CATCH_UP = 3.0  # seconds that a promotion gives to the last snapshots; without them the copy opens as it is
_DEAF = 6.0  # seconds that an order may wait for the main thread, which may hang in a vault
_HASTE = 2  # processes that tried to catch up before opening; the next one opens the copy as it is
_GAVE_WAY = 75  # exit code (EX_TEMPFAIL of sysexits.h): start me again
_LEAVE = 3.0  # seconds given to programs that still hold files open when the folder is barred


@dataclass(frozen=True, slots=True)
class KeeperPost:
    """Where a keeper stands. `open_vault` may be called again after a failure. `daily`: one snapshot an order."""

    share: str
    site: str
    root: Path
    state: Path
    open_vault: Callable[[], Repository]
    excludes: tuple[str, ...] = ()
    daily: bool = False
    thin: Sequence[str] = ()
    scan_every: float = 60.0  # seconds, where nothing tells of changes


class Keeper:
    """One end of one share. `run` is its whole life."""

    def __init__(self, post: KeeperPost) -> None:
        self._post = post
        self._voice = _Voice(post.state / ANSWER, self._deaf)
        self._begun = False
        self._deaf_since = 0.0
        self._open = ExitStack()  # what the present role holds
        self._live: Live | None = None
        self._copy: Copying | None = None
        self._thinner = Thinner(post.thin)

    def run(self, stop: threading.Event) -> int:
        """Until `stop`; a capture takes its last look first. Raises `Refused` when another keeper runs."""
        lock = only_one(self._post.state / "share.lock", f"la garde du partage « {self._post.share} »")
        with lock, self._voice, self._thinner:
            said = ""
            while not stop.is_set():
                try:
                    self._serve(self._order(), stop)
                    said = ""
                except ReleveError as error:
                    self._leave()
                    line = f"{error.sentence} [{error.code}]"
                    self._voice.say(troubled=line)
                    if line != said:
                        say(line)
                    said = line
                    stop.wait(_RETRY)
            if self._live is not None:
                self._live.finish()
            self._leave()
        return 0

    def _serve(self, order: Order | None, stop: threading.Event) -> None:
        """Obey one order until there is another. What a role opened stays for the next one to finish with."""
        known = self._voice.answer
        if order is None:
            self._voice.say(role="", settled=False, moving="")
            self._until_other(None, stop)
            return
        if known.serial != order.serial:
            self._voice.say(
                serial=order.serial,
                role=order.role,
                settled=False,
                tries=0,
                refused="",
                aside=0,
                empty=False,
                taken="",
            )
        if not self._begun and not self._voice.answer.settled:
            self._voice.say(tries=self._voice.answer.tries + 1)
        self._begun = True
        held = self._held()
        self._voice.say(epoch=held.epoch, site=held.site, troubled="")
        try:
            _rightful(order, held, self._post.site)
        except Refused as error:
            self._voice.say(refused=error.sentence)
            self._until_other(order, stop)
            return
        if order.role is Role.CAPTURE:
            self._capture(order, held, stop)
        elif order.role is Role.FOLLOW:
            self._follow(order, held, stop)
        else:
            self._close(order, held, stop)

    def _deaf(self) -> bool:
        """Whether the main thread has not heard an order, or not opened the folder, for too long.

        It may hang in a vault that no longer answers. Then this process ends, which costs nothing anywhere, and
        the next one obeys: people wait behind a folder that is to be opened.
        """
        try:
            order = self._order()
        except Unreachable:
            return False
        answer = self._voice.answer
        late = order is not None and (
            order.serial != answer.serial
            or (order.role is Role.CAPTURE and not (answer.settled or answer.refused))
        )
        now = time.monotonic()
        if not late:
            self._deaf_since = 0.0
        elif not self._deaf_since:
            self._deaf_since = now
        return late and now - self._deaf_since > _DEAF

    # --- capture ------------------------------------------------------------------------------

    def _capture(self, order: Order, held: Held, stop: threading.Event) -> None:
        if held.epoch < order.epoch or held.site != self._post.site or self._barred() is not None:
            begun = time.monotonic()
            held = self._take(order, held)
            self._leave()
            self._end_alert(held)
            self._unbar(held)
            self._voice.say(opened_ms=round((time.monotonic() - begun) * 1000, 1))
        self._voice.say(settled=True, epoch=held.epoch, site=held.site)
        self._drop_copy()
        live = self._live or self._begin(held)
        while not stop.is_set() and self._order() == order:
            self._thinner.tick()
            if not self._post.daily:
                live.step(_TURN)
            elif order.take and self._voice.answer.taken != order.take:
                _finished(live, force=True)
                self._tell_live(live)
                self._voice.say(taken=order.take)
            else:
                stop.wait(_TURN)
            self._tell_live(live)

    def _take(self, order: Order, held: Held) -> Held:
        """The folder carries the new epoch from now on, on disk before anybody may enter."""
        if held.epoch == order.epoch and held.site == self._post.site:
            return held
        if held.site not in ("", self._post.site):
            if self._voice.answer.tries < _HASTE:
                self._catch_up(held)
            position = self._position()
            if not position.snapshot:
                raise Unreachable(
                    "copy-empty", "cette copie n'a encore reçu aucun instantané : il n'y a rien à ouvrir"
                )
            found = Held(order.epoch, self._post.site, order.run, position.number)
        else:
            found = Held(order.epoch, self._post.site, order.run, held.after)
        self._write(TENURE, text(found))
        return found

    def _end_alert(self, held: Held) -> None:
        """It was of the epoch that ends; only now, for what it held back is not to be caught up either."""
        note = self._post.state / "alert.json"
        try:
            end_alert(note, held.epoch)
        except OSError as error:
            raise unwritable(note, error, "share-state") from error
        self._voice.say(alert="")

    def _catch_up(self, held: Held) -> None:
        """The last snapshots of the epoch that ends, if the vault gives them; then the copy is what it is."""
        deadline = time.monotonic() + _CATCH_UP
        try:
            copy = self._copy or self._begin_copy(
                held, Order("", Role.FOLLOW, held.epoch, held.site, held.run)
            )
            while copy.following.step() is not None and time.monotonic() < deadline:
                self._tell_copy(copy)
        except ReleveError as error:
            say(f"la copie s'ouvre sans avoir pu relire le coffre : {error.sentence}")

    def _begin(self, held: Held) -> Live:
        position = self._position()
        post = Post(
            self._post.share,
            self._post.root,
            self._post.state,
            held.epoch,
            self._post.excludes,
            after=held.after,
            adopted=bool(position.snapshot) and position.number == held.after,
            barred=self._barred,
            how="scan" if self._post.daily else "auto",
            scan_every=0.0 if self._post.daily else self._post.scan_every,
        )
        live = self._open.enter_context(capturing(self._post.open_vault(), post))
        self._live = live
        self._voice.moving = lambda: live.moving
        say(f"capture de « {self._post.share} », époque {held.epoch} ({live.freshness.how})")
        return live

    def _tell_live(self, live: Live) -> None:
        fresh = live.freshness
        known = [one for one in (fresh.safe_until, fresh.quiet) if one is not None]
        self._voice.say(
            number=fresh.number,
            snapshot=fresh.snapshot,
            unread=len(fresh.unread),
            slowed=fresh.slowed,
            safe_until=max(known).isoformat() if known else "",
            safe_uptime=round(_uptime(max(known)), 2) if known else 0.0,
            troubled=fresh.troubled,
        )

    # --- closed -------------------------------------------------------------------------------

    def _close(self, order: Order, held: Held, stop: threading.Event) -> None:
        self._bar()
        self._drop_copy()
        if held.site == self._post.site:
            self._last_look(order, held, stop)
        else:
            self._voice.say(settled=True, left=not _still(_leaving(self._post.root)))
        self._leave()
        self._until_other(order, stop)

    def _last_look(self, order: Order, held: Held, stop: threading.Event) -> None:
        """Settled once everything that was written before the folder was barred is in the vault.

        A program that still holds a file open may go on writing: it is named, and looked at again. Where some programs
        may not be looked at, the last look is taken all the same, and the folder is not seen closed.
        """
        saved = False
        while not stop.is_set() and self._order() == order:
            look = _leaving(self._post.root)
            still = _still(look)
            if look.writers or (still and saved):
                self._voice.say(left=False, refused=still)
                stop.wait(_TURN)
                continue
            try:
                live = self._live or self._begin(held)
            except Refused as error:
                # Written elsewhere since: what this side alone has stays here, for the return to put aside.
                self._voice.say(refused=error.sentence)
                return
            _finished(live, force=not live.freshness.number)
            self._tell_live(live)
            self._voice.say(settled=True, left=not still, refused=still)
            if not still:
                return
            saved = True

    # --- follow -------------------------------------------------------------------------------

    def _follow(self, order: Order, held: Held, stop: threading.Event) -> None:
        self._drop_live()
        if held.epoch != order.epoch or held.site != order.site or self._barred() is None:
            empty = not self._post.root.is_dir() or not any(
                one.name != os.fsdecode(WORKROOM) for one in self._post.root.iterdir()
            )
            self._voice.say(empty=empty)
        self._post.root.parent.mkdir(parents=True, exist_ok=True)
        self._post.root.mkdir(mode=BAR, exist_ok=True)  # never open, not even before it is barred
        self._bar()
        copy = self._copy
        if copy is None or copy.following.epoch != order.epoch:
            self._drop_copy()
            copy = self._begin_copy(held, order)
        while not stop.is_set() and self._order() == order:
            self._thinner.tick()
            wait = copy.turn()
            position = copy.following.lag.position
            if position.epoch == order.epoch and position.snapshot:
                if (held.epoch, held.site) != (order.epoch, order.site):
                    held = Held(order.epoch, order.site, order.run)
                    self._write(TENURE, text(held))
                self._voice.say(settled=True, epoch=held.epoch, site=held.site)
            self._tell_copy(copy)
            stop.wait(min(wait, _TURN))

    def _begin_copy(self, held: Held, order: Order) -> Copying:
        vault = self._post.open_vault()
        if held.site == self._post.site and held.epoch < order.epoch:
            self._step_back(vault, held, order)
        post = Post(self._post.share, self._post.root, self._post.state, order.epoch)
        aside = (lambda: Path(order.aside)) if order.aside else dated(post)
        copy = self._open.enter_context(followed(vault, post, aside))
        self._copy = copy
        self._voice.moving = lambda: f"{copy.copy.done.files}:{copy.copy.done.size}:{copy.copy.done.removed}"
        say(f"copie de « {self._post.share} », époque {order.epoch} du site {order.site}")
        return copy

    def _step_back(self, vault: Repository, held: Held, order: Order) -> None:
        """A side that wrote becomes a copy: what it shares with the other is the base, the rest is its own."""
        vault.load_index()
        base = shared_base(Snapshots(vault, self._post.share).look(), held.epoch, order.epoch)
        node = down(vault, base) if base is not None else None
        position = Position("", tree=node.subtree.hex() if node is not None else "")
        self._write("position.json", json.dumps(_plain(position)).encode())

    def _tell_copy(self, copy: Copying) -> None:
        lag = copy.following.lag
        self._voice.say(
            number=lag.position.number,
            snapshot=lag.position.snapshot,
            safe_until=lag.position.at,
            aside=len(copy.copy.done.aside) or self._voice.answer.aside,
            alert=say_alert(lag.alert),
            owed=len(lag.position.owed),
            ungiven=lag.position.ungiven,
            missing=copy.clerk.missing or "".join(unreadable(lag.unreadable)[:1]),
            late=len(lag.late),
            troubled=f"{copy.trouble.sentence} [{copy.trouble.code}]" if copy.trouble else "",
        )

    # --- the folder ---------------------------------------------------------------------------

    def _barred(self) -> Barred | None:
        """What to give back; None: it is not barred."""
        return read(Barred, _bytes(self._post.state / BARRED), BARRED)

    def _bar(self) -> None:
        """Let nobody in but our own account: the folder's owner neither, to whom permissions forbid nothing for long."""
        root = self._post.root
        try:
            facts, known = root.stat(), self._barred()
            if known is None or known.owner < 0:
                mode = stat.S_IMODE(facts.st_mode) if known is None else known.mode
                self._write(BARRED, text(Barred(mode, facts.st_uid)))
            if facts.st_uid != os.geteuid():
                os.chown(root, os.geteuid(), -1)
            root.chmod(BAR)
        except OSError as error:
            raise Unreachable(
                "share-not-closed", f"{root} ne peut pas être fermé : {reason(error)}", retryable=True
            ) from error

    def _unbar(self, held: Held) -> None:
        """Open the folder as its users know it: as the vault describes it when it was followed, else as it was."""
        barred, position, root = self._barred(), self._position(), self._post.root
        try:
            clear_workroom(os.fsencode(root))
            entry = position.entry if position.number == held.after and position.epoch < held.epoch else None
            if entry is not None:
                put_back(entry, os.fsencode(root))
            elif barred is not None:
                if barred.owner >= 0 and barred.owner != root.stat().st_uid:
                    os.chown(root, barred.owner, -1)
                root.chmod(barred.mode)
            (self._post.state / BARRED).unlink(missing_ok=True)
        except OSError as error:
            raise Unreachable(
                "share-not-open", f"{root} ne peut pas être ouvert : {reason(error)}", retryable=True
            ) from error

    # --- the state folder ---------------------------------------------------------------------

    def _order(self) -> Order | None:
        return read(Order, _bytes(self._post.state / ORDER), ORDER)

    def _held(self) -> Held:
        return read(Held, _bytes(self._post.state / TENURE), TENURE) or Held()

    def _position(self) -> Position:
        return Position.read(self._post.state / "position.json") or Position("")

    def _write(self, name: str, raw: bytes) -> None:
        path = self._post.state / name
        try:
            put(path, raw)
        except OSError as error:
            raise unwritable(path, error, "share-state") from error

    def _until_other(self, order: Order | None, stop: threading.Event) -> None:
        while not stop.is_set() and self._order() == order:
            self._thinner.tick()
            stop.wait(_TURN)

    def _leave(self) -> None:
        """Give back what the present role holds."""
        self._live = self._copy = None
        self._voice.moving = str
        stack, self._open = self._open, ExitStack()
        stack.close()

    def _drop_live(self) -> None:
        if self._live is not None:
            self._leave()

    def _drop_copy(self) -> None:
        if self._copy is not None:
            self._leave()


class _Voice:
    """Keeps the answer on disk, with a beat: from a thread, so that long work is not taken for silence."""

    def __init__(self, path: Path, hung: Callable[[], bool]) -> None:
        """`hung`: asked at each beat; a process whose work hangs is ended."""
        self._path, self._hung = path, hung
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="voix", daemon=True)
        self.moving: Callable[[], str] = str
        self._failed = ""
        with suppress(Unreachable):  # a torn answer is only an answer: it is given anew
            known = read(Answer, _bytes(path), ANSWER)
            self.answer = replace(known, settled=False) if known else Answer()
            return
        self.answer = Answer()

    def __enter__(self) -> Self:
        self.answer = replace(self.answer, boot=boot(), pid=os.getpid())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def say(self, **changes: object) -> None:
        """Change the answer; what matters to whoever waits is written at once."""
        with self._lock:
            found = replace(self.answer, **changes)  # type: ignore[arg-type]
            news = _matter(found) != _matter(self.answer)
            self.answer = found
            if news:
                self._write()

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT):
            with self._lock:
                self._write()
            if self._hung():
                say("un ordre attend et le travail en cours ne finit pas : ce processus cède la place")
                os._exit(_GAVE_WAY)

    def _write(self) -> None:
        self.answer = replace(
            self.answer,
            beat=self.answer.beat + 1,
            moving=self.moving(),
            written_at=datetime.now(UTC).isoformat(),
        )
        draft = self._path.with_suffix(".new")
        try:
            draft.write_bytes(text(self.answer))
            draft.replace(self._path)
            self._failed = ""
        except OSError as error:  # the share goes on; its answer is then old, and whoever waits says so
            if not self._failed:
                say(f"l'état {self._path} ne peut pas être écrit : {reason(error)}")
            self._failed = reason(error)


def _matter(answer: Answer) -> Answer:
    return replace(answer, beat=0, moving="", written_at="", safe_until="", safe_uptime=0.0)


def _rightful(order: Order, held: Held, site: str) -> None:
    """Raises `Refused` for an order of the past."""
    mine = order.role is not Role.CAPTURE or held.site in ("", site) or held.epoch < order.epoch
    if order.role is not Role.CLOSED and (held.epoch > order.epoch or not mine):
        raise Refused(
            "epoch-past",
            f"ce dossier porte l'époque {held.epoch} du site « {held.site} », plus récente que l'ordre",
        )


def _leaving(root: Path) -> Look:
    """Who writes below `root`, once nobody does or after a while."""
    deadline = time.monotonic() + _LEAVE
    place = os.fsencode(os.path.realpath(root))
    while (look := open_writers(place)).writers and time.monotonic() < deadline:
        time.sleep(0.05)
    return look


def _still(look: Look) -> str:
    """Why a folder is not seen closed; empty when it is."""
    if not look.writers and not look.hidden:
        return ""
    if not look.writers:
        hidden = say_count(
            look.hidden,
            "programme d'un autre compte n'a pas pu être regardé",
            "programmes d'autres comptes n'ont pas pu être regardés",
        )
        return f"{hidden} : Relève n'est pas root ici"
    one = look.writers[0]
    return f"« {one.program} » (processus {one.pid}) tient encore {shown(one.path)} ouvert en écriture"


def _finished(live: Live, *, force: bool) -> None:
    """Look until a look finds nothing new; `force`: one snapshot at least. Raises `Unreachable` when it fails."""
    for turn in range(10):
        taken = live.finish(force=force and not turn)
        if live.freshness.troubled:
            raise Unreachable("share-not-saved", live.freshness.troubled, retryable=True)
        if taken is None or not taken.changed:
            return
    raise Unreachable(
        "share-still-written", "le partage change encore : il n'est pas vu fermé", retryable=True
    )


def _uptime(at: datetime) -> float:
    """When `at` was, in seconds since this machine started, by the clock as it stands now."""
    age = (datetime.now(UTC) - at).total_seconds()
    return float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]) - age


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreachable("share-state", f"{path} ne se lit pas : {reason(error)}") from error


def _plain(position: Position) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(position)
