"""One vault, three kinds of places: a folder, an S3 server, a REST server. The same must hold on each."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Hints
from releve.adapters.vault import locks, merging
from releve.adapters.vault.locks import hold
from releve.adapters.vault.node import Node
from releve.adapters.vault.places import store_at
from releve.adapters.vault.pruning import prune
from releve.adapters.vault.repository import Repository, create, open_vault, walk
from releve.adapters.vault.rest import RestStore
from releve.adapters.vault.restore import restore
from releve.adapters.vault.s3 import S3Store
from releve.adapters.vault.saving import save
from releve.adapters.vault.sightings import Sightings
from releve.adapters.vault.store import Absent, Entry, Kind, Store
from releve.adapters.vault.verify import verify
from releve.domain.errors import BadInput, PromiseBroken, Refused, Unreachable
from releve.entrypoints.worker.register import Watch, of_scope
from releve.entrypoints.worker.thinning import thin_share
from tests.features import CURRENT_RESTIC
from tests.places import KEYS, RCLONE, Cutter, Rclone, free_port, s3_server, until_it_answers
from tests.vaults import CHEAP, PASSWORD, forget, now, picture, restic


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server of moto's, with an empty bucket; its address."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as port:
        yield f"s3:http://127.0.0.1:{port}/seau/coffre"


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[str]:
    """A REST server; its address."""
    server = Rclone(tmp_path / "behind")
    yield server.where
    server.stop()


@pytest.fixture(params=["folder", "s3", "rest"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty place of each kind."""
    if request.param == "folder":
        return str(tmp_path / "vault")
    return str(request.getfixturevalue(request.param))


def _source(folder: Path) -> Path:
    folder.mkdir()
    (folder / "petit").write_text("bonjour")
    (folder / "vide").write_bytes(b"")
    (folder / "grand.bin").write_bytes(os.urandom(3_000_000))
    (folder / "sous").mkdir()
    (folder / "sous" / "lien").symlink_to("petit")
    return folder


def _made(place: str) -> Repository:
    return create(store_at(place), PASSWORD, now(), CHEAP)


def _opened(place: str) -> Repository:
    vault = open_vault(store_at(place), PASSWORD)
    vault.load_index()
    return vault


def _held(place: str, snapshot: str, source: Path) -> list[tuple[bytes, Node]]:
    """What a snapshot holds below a folder; the folders above it belong to other tests too."""
    vault = _opened(place)
    every = list(walk(vault, vault.snapshot(snapshot).tree))
    within = [pair for pair in every if pair[0].startswith(bytes(source) + b"/")]
    assert len(within) == 5
    return within


def test_what_is_saved_comes_back(place: str, tmp_path: Path) -> None:
    """Saved, verified byte for byte and restored identical, wherever the vault lies."""
    source = _source(tmp_path / "source")
    saved = save(_made(place), [str(source)], now=now)
    again = save(open_vault(store_at(place), PASSWORD), [str(source)], now=now)
    assert _held(place, again.id, source) == _held(place, saved.id, source)
    assert again.added < 100_000, "what did not change was stored again"
    verdict = verify(open_vault(store_at(place), PASSWORD))
    assert verdict.sound, verdict.troubles
    vault = _opened(place)
    restore(vault, vault.snapshot(saved.id), str(tmp_path / "out"))
    assert picture(tmp_path / "out" / source.relative_to("/")) == picture(source)


@pytest.mark.needs("restic-current")
def test_stock_restic_reads_the_same_address(place: str, tmp_path: Path) -> None:
    """The address is written as restic writes it, and restic finds nothing to say."""
    source = _source(tmp_path / "source")
    save(_made(place), [str(source)], now=now)
    environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "AWS_DEFAULT_REGION": "us-east-1"}
    argv = [str(CURRENT_RESTIC), "--no-cache", "-r", place, "check", "--read-data"]
    ran = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert "no errors were found" in ran.stdout, ran.stdout + ran.stderr


def test_forgetting_and_pruning_give_room_back(place: str, tmp_path: Path) -> None:
    """A removed snapshot's data leaves the place."""
    source = _source(tmp_path / "source")
    vault = _made(place)
    first = save(vault, [str(source)], now=now)
    (source / "grand.bin").unlink()
    save(vault, [str(source)], now=now)
    before = sum(one.size for one in vault.store.entries(Kind.DATA))
    forget(vault, first.id)
    prune(vault, now=now)
    assert sum(one.size for one in vault.store.entries(Kind.DATA)) < before - 2_900_000
    assert verify(_opened(place)).sound


def test_the_verbs_of_a_place(place: str) -> None:
    """Parts of a file, files that are not there, a second write of the same name."""
    store = store_at(place)
    assert list(store.make()) == []
    name = "ab" * 32
    with pytest.raises(Absent):
        store.read(Kind.DATA, name)
    store.write(Kind.DATA, name, [b"0123", b"456789"])
    store.write(Kind.DATA, name, [b"0123", b"456789"])
    assert store.read(Kind.DATA, name) == b"0123456789"
    assert store.read(Kind.DATA, name, 3, 4) == b"3456"
    assert store.read(Kind.DATA, name, 3, 0) == b""
    assert [(one.name, one.size) for one in store.entries(Kind.DATA)] == [(name, 10)]
    store.replace(Kind.DATA, name, [b"autre"])
    assert store.read(Kind.DATA, name) == b"autre"
    store.remove(Kind.DATA, name)
    store.remove(Kind.DATA, name)
    assert list(store.entries(Kind.DATA)) == []


def test_a_place_that_holds_something_is_left_alone(place: str) -> None:
    """A second init changes nothing."""
    _made(place)
    with pytest.raises(BadInput, match="n'est pas vide"):
        _made(place)
    assert open_vault(store_at(place), PASSWORD).keys()


def test_an_append_only_server_takes_and_never_gives_up(tmp_path: Path) -> None:
    """With --append-only: saving works, its lock goes away, and nothing else can be removed."""
    server = Rclone(tmp_path / "behind", "--append-only")
    try:
        vault = _made(server.where)
        source = _source(tmp_path / "source")
        saved = save(vault, [str(source)], now=now)
        save(vault, [str(source)], now=now)
        assert list(vault.store.entries(Kind.LOCKS)) == []
        with pytest.raises(Refused, match="refuse"):
            forget(vault, saved.id)
        assert len(vault.snapshots()) == 2
        with pytest.raises(Refused):
            vault.store.write(Kind.CONFIG, "config", [b"autre"])
    finally:
        server.stop()


def test_a_network_cut_in_an_upload_is_said_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut in the middle: a clear error; then the same command finishes, and the vault is whole."""
    monkeypatch.setattr("releve.adapters.vault.rest._PAUSES", (0.01, 0.01))
    server = Rclone(tmp_path / "behind")
    cutter = Cutter(server.port, 2_000_000)
    try:
        where = f"rest:http://127.0.0.1:{cutter.port}/"
        source = _source(tmp_path / "source")
        vault = _made(where)
        with pytest.raises(Unreachable) as said:
            save(vault, [str(source)], now=now)
        assert said.value.code == "vault-unreachable"
        assert said.value.retryable
        assert cutter.cuts
        cutter.passing = -1
        save(open_vault(store_at(where), PASSWORD), [str(source)], now=now)
        assert verify(open_vault(store_at(where), PASSWORD)).sound
    finally:
        cutter.close()
        server.stop()


def test_a_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens: a clear error, no trace of the password of the address."""
    monkeypatch.setattr("releve.adapters.vault.rest._PAUSES", (0.01,))
    with pytest.raises(Unreachable) as said:
        open_vault(store_at(f"rest:http://moi:motdepasse@127.0.0.1:{free_port()}/"), PASSWORD)
    assert "motdepasse" not in f"{said.value.sentence} {said.value.context}"


@pytest.mark.parametrize("where", ["s3:serveur/seau", "s3:https://serveur", "rest:ftp://x/", "rest:serveur"])
def test_an_address_that_is_none(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said at once, with how it is written."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match="n'est pas une adresse"):
        store_at(where)


def test_s3_without_keys_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that is missing is named."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(BadInput, match="AWS_ACCESS_KEY_ID"):
        S3Store("s3:https://127.0.0.1/seau")


def test_a_server_that_calls_itself_s3_is_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3 of rclone's overwrites and knows no ranges: both are told, and the vault works all the same."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "behind" / "seau").mkdir(parents=True)
    port = free_port()
    pair = f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"
    argv = [
        str(RCLONE),
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        pair,
        str(tmp_path / "behind"),
    ]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_it_answers(port)
        where = f"s3:http://127.0.0.1:{port}/seau/coffre"
        vault = _made(where)
        assert vault.lacking
        source = _source(tmp_path / "source")
        saved = save(vault, [str(source)], now=now)
        assert verify(_opened(where)).sound
        back = _opened(where)
        restore(back, back.snapshot(saved.id), str(tmp_path / "out"))
        assert picture(tmp_path / "out" / source.relative_to("/")) == picture(source)
    finally:
        process.terminate()
        process.wait()


class Liar:
    """A store that lies in one way about one kind of file."""

    def __init__(self, honest: Store, kind: Kind, lie: str) -> None:
        self._honest, self._kind, self._lie = honest, kind, lie
        self.where = honest.where
        self.lied = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._honest, name)

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        found = self._honest.read(kind, name, offset, length)
        if kind is not self._kind or not found:
            return found
        self.lied += 1
        match self._lie:
            case "flip":
                return found[:-1] + bytes([found[-1] ^ 1])
            case "short":
                return found[: len(found) // 2]
            case "long":
                return found + b"\0"
            case "empty":
                return b""
            case "absent":
                raise Absent(f"{kind}/{name}")
            case "other":
                if kind is Kind.CONFIG:
                    return found[::-1]  # there is only one
                others = [one.name for one in self._honest.entries(kind) if one.name != name]
                return self._honest.read(kind, others[0], offset, length) if others else found[::-1]
            case _:
                return bytes(len(found))


LIES: Sequence[str] = ("flip", "short", "long", "empty", "other", "zeros")


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("kind", [Kind.DATA, Kind.INDEX, Kind.SNAPSHOTS, Kind.KEYS, Kind.CONFIG])
def test_a_store_that_lies_is_never_believed(tmp_path: Path, kind: Kind, lie: str) -> None:
    """Whatever it gives instead, nothing wrong is restored: an error names what is damaged."""
    source = _source(tmp_path / "source")
    place = str(tmp_path / "vault")
    vault = _made(place)
    save(vault, [str(source)], now=now)
    (source / "petit").write_text("un autre jour")
    saved = save(vault, [str(source)], now=now)
    vault.add_key("une-deuxieme-cle-d-essai", now(), CHEAP)
    liar = Liar(store_at(place), kind, lie)
    code, lost = "", set[str]()
    try:
        lied = open_vault(liar, PASSWORD)  # type: ignore[arg-type]
        snapshot = lied.snapshot(saved.id)
        lied.load_index()
        done = restore(lied, snapshot, str(tmp_path / "out"))
        lost = {path for path, _ in done.lost}
    except (PromiseBroken, Refused) as error:
        code = error.code
    assert liar.lied
    assert code in {"", "vault-damaged", "vault-wrong-key"}
    for path in ("petit", "grand.bin") if not code else ():
        out = tmp_path / "out" / (source / path).relative_to("/")
        if str(out) in lost:
            assert not out.exists()
        else:
            assert out.read_bytes() == (source / path).read_bytes()


class Meanwhile:
    """A store beside which something happens, between a listing of some kind of file and what is read after it."""

    def __init__(self, honest: Store, kind: Kind, act: Callable[[], object], skip: int = 0) -> None:
        self._honest, self._kind, self._act, self._skip = honest, kind, act, skip
        self.where = honest.where
        self.acted = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._honest, name)

    def entries(self, kind: Kind) -> Iterator[Entry]:
        found = list(self._honest.entries(kind))
        if kind is self._kind:
            self._skip -= 1
            if self._skip == -1:
                self.acted += 1
                self._act()
        return iter(found)


def _two_days(place: str, source: Path) -> tuple[str, str]:
    """A vault with two snapshots, of which the first holds what the second no longer does."""
    vault = _made(place)
    first = save(vault, [str(source)], now=now).id
    (source / "grand.bin").write_bytes(os.urandom(3_000_000))
    return first, save(vault, [str(source)], now=now).id


def test_a_snapshot_thinned_away_since_it_was_listed_is_none(place: str, tmp_path: Path) -> None:
    """A listing, a saving and a verification beside a thinning go on with those that are left."""
    source = _source(tmp_path / "source")
    first, second = _two_days(place, source)
    raw = store_at(place).read(Kind.SNAPSHOTS, first)

    def beside() -> tuple[Repository, Meanwhile]:
        store_at(place).write(Kind.SNAPSHOTS, first, [raw])
        other = store_at(place)
        store = Meanwhile(store_at(place), Kind.SNAPSHOTS, lambda: other.remove(Kind.SNAPSHOTS, first))
        return open_vault(store, PASSWORD), store  # type: ignore[arg-type]

    vault, store = beside()
    assert ([one.id for one in vault.snapshots()], store.acted) == ([second], 1)
    vault, store = beside()
    verdict = verify(vault)
    assert (verdict.sound, verdict.snapshots, store.acted) == (True, 1, 1)
    vault, store = beside()
    saved = save(vault, [str(source)], now=now)
    assert (saved.parent, store.acted) == (second, 1)
    assert verify(_opened(place)).sound


@pytest.mark.parametrize("kind", [Kind.SNAPSHOTS, Kind.INDEX, Kind.DATA])
def test_a_tidying_beside_a_verification_is_no_damage(place: str, tmp_path: Path, kind: Kind) -> None:
    """Snapshots, lists and packs go, in their order, under its eyes: it looks again, and reads what came instead."""
    first, _ = _two_days(place, _source(tmp_path / "source"))

    def tidy() -> None:
        other = _opened(place)
        forget(other, first)
        done = prune(other, now=now)
        assert done.repack
        assert done.freed > 2_000_000

    store = Meanwhile(store_at(place), kind, tidy)
    verdict = verify(open_vault(store, PASSWORD))  # type: ignore[arg-type]
    assert store.acted
    assert (verdict.troubles, verdict.lost, verdict.snapshots) == ([], [], 1)
    assert verdict.size >= sum(one.size for one in store_at(place).entries(Kind.DATA))


def test_a_pack_that_is_missing_is_said_though_the_list_moves_all_the_time(
    place: str, tmp_path: Path
) -> None:
    """Lists are replaced at each look, as by mergings without end: the verification ends, and names the pack."""
    _two_days(place, _source(tmp_path / "source"))
    other = _opened(place)
    largest = max(other.store.entries(Kind.DATA), key=lambda one: one.size).name
    other.store.remove(Kind.DATA, largest)

    def replace() -> None:
        store._skip = 0  # and at the next listing
        for entry in list(other.store.entries(Kind.INDEX)):
            raw = other.get(Kind.INDEX, entry.name)
            other.put_plain(Kind.INDEX, raw)
            other.store.remove(Kind.INDEX, entry.name)

    store = Meanwhile(store_at(place), Kind.DATA, replace)
    verdict = verify(open_vault(store, PASSWORD))  # type: ignore[arg-type]
    assert store.acted >= 2
    assert [(one.kind, one.name) for one in verdict.troubles] == [(Kind.DATA, largest)]
    assert verdict.lost


@pytest.mark.parametrize("kind", [Kind.SNAPSHOTS, Kind.INDEX, Kind.KEYS])
def test_a_file_that_is_listed_and_not_given_is_damage(tmp_path: Path, kind: Kind) -> None:
    """It is never taken for one that was removed: a pruning would take its data."""
    place = str(tmp_path / "vault")
    _two_days(place, _source(tmp_path / "source"))
    vault = _opened(place)
    vault.store = Liar(store_at(place), kind, "absent")  # type: ignore[assignment]
    verdict = verify(vault)
    assert {one.kind for one in verdict.troubles} == {kind}
    assert not verdict.sound
    if kind is not Kind.KEYS:
        with pytest.raises(PromiseBroken, match="ne le donne pas"):
            prune(vault, now=now)
    else:
        with pytest.raises(PromiseBroken, match="aucun fichier de clé"):
            open_vault(vault.store, PASSWORD)


def test_a_merging_whose_list_another_replaced_leaves_it_for_the_next_run(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shares in one vault: each relief merges it. What one is reading the other may replace."""
    for name in ("YOUNG", "GRACE", "MARGIN"):
        monkeypatch.setattr(merging, name, timedelta(0))
    monkeypatch.setattr(merging, "_FEW", 2)
    _two_days(place, _source(tmp_path / "source"))
    sightings = Sightings(tmp_path / "sightings.json")

    def run(vault: Repository) -> merging.Merged:
        return merging.merge(vault, {}, keep=lambda _note: None, now=now, sightings=sightings)

    assert run(_opened(place)).rewritten >= (0 if place.startswith("rest:") else 1)

    def replace() -> None:
        other = _opened(place)
        for entry in list(other.store.entries(Kind.INDEX)):
            raw = other.get(Kind.INDEX, entry.name)
            other.put_plain(Kind.INDEX, raw)
            other.store.remove(Kind.INDEX, entry.name)

    save(_opened(place), [str(_source(tmp_path / "more"))], now=now)
    store = Meanwhile(store_at(place), Kind.INDEX, replace, skip=2)
    done = run(open_vault(store, PASSWORD))  # type: ignore[arg-type]
    assert (store.acted, done.lists, done.rewritten) == (1, 0, 0)
    assert run(_opened(place)).lists
    assert verify(_opened(place)).sound


@pytest.mark.parametrize("begun", [0, 100])
def test_a_name_that_is_there_before_its_bytes_is_waited_for(tmp_path: Path, begun: int) -> None:
    """A server (rclone's) that writes in place, in a folder that we read: no alarm for a file that is being written."""
    source = _source(tmp_path / "source")
    place = str(tmp_path / "vault")
    saved = save(_made(place), [str(source)], now=now)
    path = tmp_path / "vault" / "snapshots" / saved.id
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:begun])
    finish = threading.Timer(0.03, lambda: path.write_bytes(whole))
    finish.start()
    assert [one.id for one in _opened(place).snapshots()] == [saved.id]
    finish.join()
    path.write_bytes(whole[:begun])
    with pytest.raises(PromiseBroken):
        _opened(place).snapshots()


def test_two_writers_at_once(place: str, tmp_path: Path) -> None:
    """Two machines save at the same time: both snapshots are whole."""
    _made(place)
    sources = [_source(tmp_path / f"source{number}") for number in range(2)]
    failed: list[BaseException] = []

    def one(source: Path) -> None:
        try:
            save(open_vault(store_at(place), PASSWORD), [str(source)], now=now)
        except BaseException as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=one, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(_opened(place).snapshots()) == 2
    assert verify(_opened(place)).sound


def test_a_lock_in_a_server_holds_too(place: str) -> None:
    """An exclusive lock, wherever the vault lies, keeps a writer out."""
    vault = _made(place)
    with hold(vault, exclusive=True, now=now), pytest.raises(Refused, match="est utilisé"):
        save(open_vault(store_at(place), PASSWORD), [str(Path(__file__).parent)], now=now)


def test_a_wrong_clock_takes_no_lock_away(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the vault lies, a lock of a machine two hours behind, or ahead, holds against one that is right."""
    vault, other = _made(place), _opened(place)
    for wrong in (timedelta(hours=-2), timedelta(hours=2)):
        with ExitStack() as stack:
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(locks.socket, "gethostname", lambda: "ailleurs")
                stack.enter_context(hold(vault, exclusive=False, now=lambda by=wrong: now() + by))
            with pytest.raises(Refused, match="est utilisé par ailleurs"):
                prune(other, now=now)
        assert list(vault.store.entries(Kind.LOCKS)) == []


@pytest.mark.needs("restic-current")
def test_an_account_of_the_environment_opens_a_rest_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address without a secret, as it may stand in a plan: restic's own names in the environment have the account."""
    secret = "se/cr@t:é"
    server = Rclone(tmp_path / "behind", "--user", "compte", "--pass", secret)
    try:
        with pytest.raises(Refused):
            _made(server.where)
        monkeypatch.setenv("RESTIC_REST_USERNAME", "compte")
        monkeypatch.setenv("RESTIC_REST_PASSWORD", secret)
        vault, share = _made(server.where), _source(tmp_path / "source")
        saved = save(vault, [str(share)], now=now)
        assert verify(_opened(server.where)).sound
        assert saved.id[:8] in restic(CURRENT_RESTIC, server.where, "snapshots")
        monkeypatch.setenv("RESTIC_REST_PASSWORD", "un autre mot")
        with pytest.raises(Refused) as caught:
            _opened(server.where)
        assert "un autre mot" not in caught.value.sentence + caught.value.hint
        inside = "rest:http://compte:se%2Fcr%40t%3A%C3%A9@" + server.where.removeprefix("rest:http://")
        assert verify(_opened(inside)).sound  # what the address says comes first
    finally:
        server.stop()


def test_a_list_that_is_still_being_written_behind_a_rest_server_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown before its bytes, without a date: read again while it grows; what stays wrong is damage."""
    behind = tmp_path / "behind"
    server = Rclone(behind)
    try:
        save(_made(server.where), [str(_source(tmp_path / "source"))], now=now)
        (index,) = (behind / "index").iterdir()
        whole = index.read_bytes()
        vault = open_vault(store_at(server.where), PASSWORD)
        index.write_bytes(whole[:40])

        def grow() -> None:
            for size in range(41, len(whole) + 1, max(1, len(whole) // 20)):
                time.sleep(0.01)
                index.write_bytes(whole[:size])
            index.write_bytes(whole)

        writing = threading.Thread(target=grow)
        writing.start()
        try:
            vault.load_index()
            assert len(vault.index) > 0
        finally:
            writing.join()
        index.write_bytes(whole[:40])
        with pytest.raises(PromiseBroken):
            _opened(server.where)
    finally:
        server.stop()


def test_rest_addresses_keep_their_password_to_themselves() -> None:
    """The address that is shown has no account in it."""
    assert RestStore("rest:https://moi:secret@serveur:8000/a/").where == "rest:https://serveur:8000/a/"


def test_a_server_that_dates_nothing_is_thinned_and_merged_all_the_same(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REST: ages are the relief's own looks; history goes, small packs become few, everything kept is whole."""
    for name in ("YOUNG", "GRACE", "MARGIN", "_UNSURE"):
        monkeypatch.setattr(merging, name, timedelta(0))
    monkeypatch.setattr(merging, "_FEW", 2)
    vault, share = _made(rest), _source(tmp_path / "source")
    vault.load_index()
    cache = Cache(tmp_path / "cache.db", "essai")
    capture = Capture(
        vault, Share("d", os.fsencode(share), "essai"), cache, cover=lambda _folder: None, now=now
    )
    for number in range(8):
        (share / "a").write_text(f"version {number}")
        assert capture.take(Hints(everything=True)) is not None
    capture.close()
    cache.close()
    state = tmp_path / "state"
    past = now() - timedelta(minutes=30)
    watch = Watch(vault, state, "d", now=lambda: past, up=lambda: ("avant", 0.0))
    watch.look(of_scope(vault, "d"))
    watch.close()
    packs = len(list(vault.store.entries(Kind.DATA)))
    assert all(entry.seen == 0 for entry in vault.store.entries(Kind.DATA)), "this server tells no dates"
    for _ in range(3):
        thin_share(_opened(rest), "d", state, yes=True)
    left = _opened(rest)
    assert len(of_scope(left, "d")) < 8
    assert len(list(left.store.entries(Kind.DATA))) < packs
    assert verify(left).sound
