"""Both ways with stock restic: what we write it checks, restores and adds to; what it writes we read."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.adapters.vault import pruning
from releve.adapters.vault.restore import restore
from releve.adapters.vault.verify import verify
from tests.features import CURRENT_RESTIC
from tests.vaults import forget, fresh, keep, now, picture, reopened, restic

PROGRAMS = [
    pytest.param("restic", marks=pytest.mark.needs("restic"), id="debian12"),
    pytest.param(str(CURRENT_RESTIC), marks=pytest.mark.needs("restic-current"), id="current"),
]


def _rich_tree(top: Path, program: str) -> None:
    """Everything that a share may hold, hostile names included.

    restic 0.14 knows no link target that is not UTF-8 (it writes U+FFFD, both ways): later ones do.
    """
    seed = random.Random(7)
    (top / "sous dossier" / "vide").mkdir(parents=True)
    (top / "a.txt").write_text("bonjour")
    (top / "empty").touch()
    (top / "big.bin").write_bytes(seed.randbytes(3_000_000) + bytes(2_000_000) + seed.randbytes(700_000))
    raw = os.fsencode(top)
    for name in (
        b"\xff\xfe non utf8",
        b"new\nline",
        b'quote"back\\slash',
        "é<&>\u2028\u200b".encode(),
        b" ",
        b"-rf",
    ):
        with open(os.path.join(raw, name), "wb") as file:
            file.write(name)
    os.symlink("a.txt", top / "link")
    os.symlink(b"nowhere" if program == "restic" else b"\xff/nowhere", os.path.join(raw, b"badlink"))
    os.link(top / "a.txt", top / "sous dossier" / "hard")
    os.mkfifo(top / "fifo")
    with (top / "sparse").open("wb") as file:
        file.seek(40_000_000)
        file.write(b"end")
    with (top / "sparse-end").open("wb") as file:
        file.write(b"begin")
        file.truncate(9_000_000)
    os.setxattr(top / "a.txt", "user.kept", b"\x00\xff value")
    (top / "a.txt").chmod(0o4751)
    (top / "sous dossier").chmod(0o1777)
    if os.geteuid() == 0:
        os.chown(top / "empty", 4242, 2424)
        os.mknod(top / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        if shutil.which("setfacl"):
            subprocess.run(["setfacl", "-m", "u:4242:rw", str(top / "big.bin")], check=True)
    for number, path in enumerate(sorted(raw_paths(raw))):
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + number), follow_symlinks=False)


def raw_paths(top: bytes) -> list[bytes]:
    return [os.path.join(folder, name) for folder, dirs, files in os.walk(top) for name in (*dirs, *files)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_restic_brings_back_what_we_saved(tmp_path: Path, program: str) -> None:
    """`check --read-data` finds no error, and its restore is identical, metadata included."""
    source = tmp_path / "src"
    source.mkdir()
    _rich_tree(source, program)
    saved = keep(fresh(tmp_path / "vault"), source)
    assert saved.tally.unread == []
    said = restic(program, tmp_path / "vault", "check", "--read-data")
    assert "no errors were found" in said
    restic(program, tmp_path / "vault", "restore", saved.id, "--target", str(tmp_path / "out"))
    back = tmp_path / "out" / source.relative_to("/")
    assert picture(back) == picture(source)


@pytest.mark.parametrize("program", PROGRAMS)
def test_we_bring_back_what_restic_saved(tmp_path: Path, program: str) -> None:
    """A repository that restic made: we verify every byte and restore it identical."""
    source = tmp_path / "src"
    source.mkdir()
    _rich_tree(source, program)
    restic(program, tmp_path / "vault", "init")
    restic(program, tmp_path / "vault", "backup", str(source))
    vault = reopened(tmp_path / "vault")
    verdict = verify(vault)
    assert verdict.sound, verdict.troubles
    assert verdict.blobs > 5
    done = restore(vault, vault.snapshot("latest"), str(tmp_path / "out"))
    assert done.lost == []
    assert picture(tmp_path / "out" / source.relative_to("/")) == picture(source)


@pytest.mark.parametrize("program", PROGRAMS)
def test_restic_and_we_add_to_the_same_vault(tmp_path: Path, program: str) -> None:
    """Restic backs up into ours, we save after it, both forget and prune; nothing is lost on either side."""
    source = tmp_path / "src"
    source.mkdir()
    (source / "one").write_bytes(random.Random(1).randbytes(900_000))
    vault = fresh(tmp_path / "vault")
    first = keep(vault, source)
    restic(program, tmp_path / "vault", "backup", str(source))
    (source / "two").write_text("later")
    last = keep(reopened(tmp_path / "vault"), source)
    assert last.tally.files_new == 1 or last.tally.files_same == 2
    assert len(reopened(tmp_path / "vault").snapshots()) == 3
    forget(vault, first.id)
    pruning.prune(reopened(tmp_path / "vault"), now=now)
    assert "no errors were found" in restic(program, tmp_path / "vault", "check", "--read-data")
    restic(program, tmp_path / "vault", "forget", "--keep-last", "1", "--group-by", "host", "--prune")
    vault = reopened(tmp_path / "vault")
    assert verify(vault).sound
    restore(vault, vault.snapshot("latest"), str(tmp_path / "out"))
    assert (tmp_path / "out" / source.relative_to("/") / "two").read_text() == "later"


@pytest.mark.parametrize("program", PROGRAMS)
def test_restic_respects_our_locks_and_we_its(tmp_path: Path, program: str) -> None:
    """While we prune, restic refuses to back up; a live lock of another machine stops our pruning."""
    from releve.adapters.vault.locks import hold, locks
    from releve.domain.errors import Refused

    vault = fresh(tmp_path / "vault")
    with hold(vault, exclusive=True, now=now):
        said = restic(program, tmp_path / "vault", "backup", "/etc/hostname", check=False)
        assert "locked" in said
    assert list(locks(vault)) == []
    restic(program, tmp_path / "vault", "backup", "/etc/hostname")
    theirs = {
        "time": now().isoformat(),
        "exclusive": False,
        "hostname": "elsewhere",
        "username": "x",
        "pid": 1,
    }
    from releve.adapters.vault.store import Kind

    vault.put(Kind.LOCKS, theirs | {"time": now().strftime("%Y-%m-%dT%H:%M:%SZ")})
    with pytest.raises(Refused) as caught, hold(vault, exclusive=True, now=now):
        pass
    assert caught.value.code == "vault-locked"
    assert keep(vault, tmp_path / "vault" / "keys").id  # many may add
    assert socket.gethostname() != "elsewhere"


_NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda raw: not {0, 47} & set(raw) and raw not in {b".", b".."}
)
_FILES = st.one_of(st.binary(max_size=200), st.integers(0, 1_500_000))
_TREES = st.recursive(
    st.dictionaries(_NAMES, _FILES, max_size=5),
    lambda inner: st.dictionaries(_NAMES, st.one_of(_FILES, inner), max_size=4),
    max_leaves=20,
)


def _plant(top: bytes, tree: dict[bytes, object]) -> None:
    os.mkdir(top)
    for name, value in tree.items():
        path = os.path.join(top, name)
        if isinstance(value, dict):
            _plant(path, value)
            continue
        with open(path, "wb") as file:
            file.write(value if isinstance(value, bytes) else random.Random(value).randbytes(value))


def _trees(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of so many vaults of twenty trees each."""
    return lambda test: settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )(given(trees=st.lists(_TREES, min_size=20, max_size=20))(test))


@pytest.mark.parametrize("program", PROGRAMS)
@_trees(2)
def test_generated_trees_come_back_both_ways(
    tmp_path_factory: pytest.TempPathFactory, program: str, trees: list[dict[bytes, object]]
) -> None:
    """Any names, any sizes, twenty trees a vault: our restore and restic's are identical to the source."""
    _both_ways(tmp_path_factory, program, trees)


@pytest.mark.torture
@pytest.mark.parametrize("program", PROGRAMS)
@_trees(50)
def test_a_thousand_generated_trees_come_back_both_ways(
    tmp_path_factory: pytest.TempPathFactory, program: str, trees: list[dict[bytes, object]]
) -> None:
    """The same, longer."""
    _both_ways(tmp_path_factory, program, trees)


def _both_ways(
    tmp_path_factory: pytest.TempPathFactory, program: str, trees: list[dict[bytes, object]]
) -> None:
    base = tmp_path_factory.mktemp("trees")
    source = base / "src"
    source.mkdir()
    for number, tree in enumerate(trees):
        _plant(os.fsencode(source / str(number)), tree)
    want = picture(source)
    saved = keep(fresh(base / "ours"), source)
    restic(program, base / "ours", "check", "--read-data")
    restic(program, base / "ours", "restore", saved.id, "--target", str(base / "theirs-out"))
    assert picture(base / "theirs-out" / source.relative_to("/")) == want
    restic(program, base / "ours", "backup", str(source))  # its own trees, over the same blobs
    vault = reopened(base / "ours")
    assert verify(vault).sound
    for number, snapshot in enumerate(vault.snapshots()):
        done = restore(vault, snapshot, str(base / f"out{number}"))
        assert done.lost == []
        assert picture(base / f"out{number}" / source.relative_to("/")) == want
    shutil.rmtree(base)
