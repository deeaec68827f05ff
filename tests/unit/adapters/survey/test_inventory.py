"""What a share holds, on real folders; the faults are really made."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey import files
from releve.adapters.survey.documents import documents
from releve.adapters.survey.files import inventory
from releve.adapters.survey.probes import inventory as probe
from releve.adapters.survey.probes import reading
from releve.domain.audit import Found, Gap
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed
from releve.domain.seen import TWIN, Documents, Files, Tally
from tests.fakes.hosts import FakeHost

HERE = LocalHost(HostSpec("ici", "principal", Reach.LOCAL))
DAY = 86_400.0


class Through:
    """The local machine, asked through something: another account, or another program before the words."""

    id = "ici"

    def __init__(self, prefix: Sequence[str] = (), user: str = "") -> None:
        self._prefix, self._user = prefix, user

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0, **_: Any) -> Completed:
        return HERE.run([*self._prefix, *argv], stdin=stdin, user=self._user, timeout=timeout)

    read = folder = write = remove = None


def looked(place: Path | str, host: Any = HERE) -> Found:
    """The whole way, as the audit takes it."""
    return inventory(host, "partage", str(place), timeout=30)


def only(found: Found) -> Files:
    """The one fact of a look."""
    (fact,) = found.facts
    assert isinstance(fact, Files)
    return fact


def make(path: Path, size: int = 0, *, changed: float = 0.0, read: float = 0.0) -> None:
    """A file of that size, changed and read so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, size)
    now = time.time()
    os.utime(path, (now - read * DAY, now - changed * DAY))


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that any account may enter."""
    place = Path(tempfile.mkdtemp(prefix="releve-essai-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_sorts_ages_twins_and_largest_are_counted(tmp_path: Path) -> None:
    """Files are counted by sort and by age, twins from TWIN bytes on, and the largest has its sort."""
    make(tmp_path / "a/rapport.DOCX", 100, changed=10)
    make(tmp_path / "a/scan.pdf", 200, changed=100)
    make(tmp_path / "b/video.mp4", TWIN, changed=500)
    make(tmp_path / "b/copie.mp4", TWIN, changed=1500)
    make(tmp_path / "b/encore.mp4", TWIN, changed=3000)
    make(tmp_path / "b/petit", 200, changed=9000)
    fact = only(looked(tmp_path))
    assert (fact.files, fact.folders, fact.bytes) == (6, 3, 500 + 3 * TWIN)
    assert fact.kinds == (
        Tally("video", 3, 3 * TWIN),
        Tally("none", 1, 200),
        Tally("pdf", 1, 200),
        Tally("office", 1, 100),
    )
    assert [(age.name, age.files) for age in fact.ages] == [
        ("30d", 1),
        ("1y", 1),
        ("3y", 1),
        ("5y", 1),
        ("10y", 1),
        ("older", 1),
    ]
    assert (fact.twins, fact.twin_bytes) == (3, 2 * TWIN)
    assert fact.largest[0] == Tally("video", 1, TWIN)
    assert fact.oldest is not None
    assert fact.newest is not None
    assert round((fact.newest - fact.oldest).total_seconds() / DAY) == 8990


def test_what_was_never_read_since_written_is_told_where_access_times_are_kept(tmp_path: Path) -> None:
    """A file last read before it was last changed is unopened; one read since is not; a fresh one is not yet."""
    make(tmp_path / "jamais.txt", 10, changed=50, read=50)
    make(tmp_path / "lu.txt", 10, changed=50, read=2)
    make(tmp_path / "neuf.txt", 10)
    fact = only(looked(tmp_path))
    kept = fact.access in {"kept", "relatime"}
    assert fact.unopened == (Tally("unopened", 1, 10) if kept else None)


@pytest.mark.needs("root")
def test_an_account_whose_reading_marks_files_does_not_say_what_is_never_opened(open_place: Path) -> None:
    """Its own reading for sensitive data marks the files of others: whether it did before, nobody knows."""
    make(open_place / "jamais.txt", 10, changed=50, read=50)
    (open_place / "jamais.txt").chmod(0o644)
    if only(looked(open_place)).access not in {"kept", "relatime"}:
        return  # this disk notes no reading at all
    found = looked(open_place, Through(user="nobody"))
    assert (only(found).access, only(found).unopened) == ("touched", None)
    assert [gap.code for gap in found.gaps] == ["access-touched"]
    shutil.chown(open_place / "jamais.txt", "nobody")
    assert only(looked(open_place, Through(user="nobody"))).unopened == Tally("unopened", 1, 10)


@pytest.mark.parametrize(
    ("kept", "foreign", "held", "told"),
    [
        ("relatime", 1, "0000000000000000", "touched"),
        ("kept", 1, "0000000000000000", "touched"),
        ("noatime", 1, "0000000000000000", "noatime"),
        ("unknown", 1, "0000000000000000", "unknown"),
        ("relatime", 0, "0000000000000000", "relatime"),
        ("relatime", 1, "000001ffffffffff", "relatime"),
        ("relatime", 1, "0000000000000008", "relatime"),
    ],
)
def test_who_may_read_without_a_mark(kept: str, foreign: int, held: str, told: str) -> None:
    """The owner of every file, or who holds CAP_FOWNER; where no mark is kept there is none to make."""
    assert probe.told_by(kept, foreign, f"Name:\tx\nCapEff:\t{held}\n") == told


def test_the_folders_that_are_walked_keep_their_access_time(tmp_path: Path) -> None:
    """Nothing looks as if somebody had been there."""
    make(tmp_path / "dossier/a.txt", 10)
    os.utime(tmp_path / "dossier", (1_000_000_000, 1_000_000_000))
    assert only(looked(tmp_path)).folders == 2
    assert (tmp_path / "dossier").stat().st_atime == 1_000_000_000


MOUNTS = """22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:5 / /srv rw,noatime shared:1 - ext4 /dev/vdb rw
31 22 0:6 / /srv/mes\\040docs rw - xfs /dev/vdc rw
32 22 0:7 / /mnt/nas rw,relatime - cifs //nas/p rw
33 22 0:8 / /mnt/cd ro,relatime - ext4 /dev/vdd ro
"""


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/home/x", "relatime"),
        ("/srv", "noatime"),
        ("/srvx", "relatime"),
        ("/srv/mes docs/a", "kept"),
        ("/mnt/nas", "unknown"),
        ("/mnt/cd/a", "noatime"),
    ],
)
def test_the_mount_says_whether_access_times_mean_something(place: str, told: str) -> None:
    """The nearest mount above a place decides; servers and read-only disks tell nothing."""
    assert probe.access(place, MOUNTS) == told


def test_two_processes_count_what_one_does(tmp_path: Path) -> None:
    """Over the number of folders at which work is shared, the counts equal those of a plain walk."""
    for number in range(probe._SPREAD + 40):
        make(tmp_path / f"d{number % 30}/e{number}/f{number}.txt", number, changed=number % 400)
    fact = only(looked(tmp_path))
    walked = [Path(root) / name for root, _, names in os.walk(tmp_path) for name in names]
    assert fact.files == len(walked)
    assert fact.bytes == sum(path.stat().st_size for path in walked)
    assert fact.folders == sum(1 for _ in os.walk(tmp_path))
    assert sum(age.files for age in fact.ages) == sum(kind.files for kind in fact.kinds) == fact.files
    assert [item.bytes for item in fact.largest] == sorted((p.stat().st_size for p in walked), reverse=True)[
        : files.LARGEST
    ]


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link to a file or to a folder above adds nothing, and the walk ends."""
    make(tmp_path / "a.txt", 5)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "tuyau")
    fact = only(looked(tmp_path))
    assert (fact.files, fact.bytes) == (1, 5)


def test_names_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    """A file and a folder whose names are no UTF-8 are looked at as any other."""
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    make(Path(os.fsdecode(folder + b"/r\xe9sum\xe9.PDF")), 7)
    fact = only(looked(tmp_path))
    assert fact.kinds == (Tally("pdf", 1, 7),)
    assert (fact.folders, fact.largest) == (2, (Tally("pdf", 1, 7),))


def test_a_folder_of_very_many_entries_stays_small_in_memory(tmp_path: Path) -> None:
    """30,000 files in one folder are counted; the memory does not grow with them (a million: `bench`)."""
    handle = os.open(tmp_path, os.O_RDONLY)
    for number in range(30_000):
        os.close(os.open(f"{number}.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    asked = files.question(str(tmp_path), timeout=30, largest=20)
    source = Path(probe.__file__).read_text()
    tail = "\nsys.stderr.write(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    program = f"{source}\nprint(survey({asked!r})['files']){tail}"
    done = subprocess.run(["python3", "-I", "-"], input=program, capture_output=True, text=True, check=True)
    assert int(done.stdout) == 30_000
    assert int(done.stderr.split()[-1]) < 30_000  # KiB


@pytest.mark.needs("root")
def test_folders_that_may_not_be_entered_are_gaps(open_place: Path) -> None:
    """What another account may not enter is counted as unread and not named, and the rest is still looked at."""
    make(open_place / "ouvert/a.txt", 5)
    make(open_place / "fermé/b.txt", 5)
    (open_place / "fermé").chmod(0o700)
    shutil.chown(open_place / "ouvert/a.txt", "nobody")
    found = looked(open_place, Through(user="nobody"))
    fact = only(found)
    assert (fact.files, fact.unread, fact.whole) == (1, 1, True)
    assert [(gap.code, gap.what) for gap in found.gaps] == [("folder-denied", str(open_place))]
    assert "fermé" not in str(found)


@pytest.mark.needs("root")
def test_a_place_that_may_not_be_entered_is_no_empty_place(open_place: Path) -> None:
    """Without the right to enter the place itself there is a gap and no figure."""
    (open_place / "fermé").mkdir(mode=0o700)
    found = looked(open_place / "fermé", Through(user="nobody"))
    assert found.facts == ()
    assert [gap.code for gap in found.gaps] == ["place-denied"]


def test_no_name_of_a_file_nor_of_a_folder_leaves_the_machine(tmp_path: Path) -> None:
    """The heaviest file is known by its sort: a share of one folder a person has their names just below it."""
    make(tmp_path / "EXEMPLE Camille/camille-bilan.pdf", 5 * TWIN)
    make(tmp_path / "racine-camille.mp4", 2 * TWIN)
    told = probe.survey(files.question(str(tmp_path), timeout=30, largest=5))
    assert told["largest"] == [(5 * TWIN, "pdf"), (2 * TWIN, "video")]
    assert "exemple" not in json.dumps(told).lower()
    assert "amille" not in json.dumps(told).replace(str(tmp_path), "")


def vanishing(walk: Callable[..., list[bytes]], place: Path) -> Callable[..., list[bytes]]:
    """The real look at a folder, after which the share is pulled out."""

    def folder(self: probe.Walk, path: bytes, **how: bool) -> list[bytes]:
        below = walk(self, path, **how)
        shutil.rmtree(place, ignore_errors=True)
        return below

    return folder


def test_a_share_that_disappears_midway_is_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures of a share that went away while it was walked are marked as partial, with a gap."""
    place = tmp_path / "partage"
    make(place / "a.txt", 5)
    make(place / "b/c.txt", 5)
    monkeypatch.setattr(probe.Walk, "folder", vanishing(probe.Walk.folder, place))
    told = probe.survey(files.question(str(place), timeout=30, largest=5))
    found = files.read(told, "ici", "partage", str(place))
    assert (only(found).files, only(found).whole) == (1, False)
    assert [gap.code for gap in found.gaps] == ["share-gone"]


def test_time_over_is_a_gap_and_the_figures_are_partial(tmp_path: Path) -> None:
    """A walk that has no time left stops by itself and says so."""
    make(tmp_path / "a.txt", 5)
    make(tmp_path / "b/c.txt", 5)
    told = probe.survey({**files.question(str(tmp_path), timeout=1, largest=5), "seconds": -1.0})
    found = files.read(told, "ici", "partage", str(tmp_path))
    assert not only(found).whole
    assert [gap.code for gap in found.gaps] == ["time-over"]


@pytest.mark.needs("mount-namespace")
def test_another_disk_below_is_counted_and_not_entered(tmp_path: Path) -> None:
    """A disk mounted below the place (one a person, on some servers) is a gap; it is not among the figures, nor named."""
    make(tmp_path / "a.txt", 5)
    (tmp_path / "disque").mkdir()
    script = 'mount -t tmpfs tmpfs "$0"/disque && touch "$0"/disque/b && exec "$@"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(tmp_path)]
    found = looked(tmp_path, Through(prefix=inside))
    assert only(found).files == 1
    assert found.gaps == (
        Gap(
            "folder-elsewhere",
            "nombre de disques montés plus bas, qui n'ont pas été regardés : 1",
            str(tmp_path),
        ),
    )


def test_a_place_that_does_not_exist_is_a_gap(tmp_path: Path) -> None:
    """Neither a missing folder nor a file in its place is an empty share, and each is said to be what it is."""
    make(tmp_path / "fichier")
    for name, code in (("absent", "place-absent"), ("fichier", "place-plain"), ("fichier/a", "place-absent")):
        found = looked(tmp_path / name)
        assert (found.facts, [gap.code for gap in found.gaps]) == ((), [code])
        people = documents(HERE, places=(str(tmp_path / name),), timeout=30)
        assert [gap.code for gap in people.gaps] == [code] * (code == "place-plain")


def test_a_folder_that_holds_nothing_at_all_is_no_clean_share(tmp_path: Path) -> None:
    """So looks the place of a share that is not mounted; a folder in it, or a hidden file, shows that it is one."""
    found = looked(tmp_path)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["place-bare"])
    (tmp_path / "dossier").mkdir()
    assert (only(looked(tmp_path)).files, looked(tmp_path).gaps) == (0, ())


FSTAB = """# les disques
LABEL=racine / ext4 defaults 0 1
LABEL=absent /srv/absent ext4 nofail 0 2
//nas/docs /srv/mes\\040docs cifs defaults 0 0
//nas/p /srv/mes\\040vieux\\040docs cifs defaults 0 0
/dev/vdx none swap sw 0 0
"""


@pytest.mark.parametrize(
    ("place", "away"),
    [
        ("/srv/absent", "/srv/absent"),
        ("/srv/absent/a/b", "/srv/absent"),
        ("/srv/absents", ""),
        ("/srv", ""),
        ("/srv/mes docs/a", ""),
        ("/srv/mes vieux docs", "/srv/mes vieux docs"),
    ],
)
def test_a_disk_that_fstab_wants_and_that_is_not_mounted_is_told(place: str, away: str) -> None:
    """At the place or above; where nobody can tell what is mounted, nothing is said. Both probes go by one rule."""
    assert probe.unmounted(place, FSTAB, MOUNTS) == away
    assert probe.unmounted(place, FSTAB, "") == ""
    assert inspect.getsource(probe.unmounted) == inspect.getsource(reading.unmounted)


def test_what_lies_under_a_disk_that_is_not_mounted_is_not_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that somebody wrote there meanwhile does not make a share of it."""
    make(tmp_path / "trace.txt", 5)
    tables = {"/etc/fstab": f"LABEL=p {tmp_path} ext4 defaults 0 2", "/proc/self/mountinfo": MOUNTS}
    monkeypatch.setattr(probe, "_read", tables.__getitem__)
    told = probe.survey(files.question(str(tmp_path), timeout=30, largest=5))
    found = files.read(told, "ici", "partage", str(tmp_path))
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["place-unmounted"])


def answering(text: bytes, code: int = 0) -> FakeHost:
    """A machine whose Python prints that."""
    return FakeHost("loin", {"python3": lambda _: Completed(code, text, b"")})


@pytest.mark.parametrize(
    ("host", "code"),
    [
        (answering(b""), "answer-unclear"),
        (answering(b"bonjour"), "answer-unclear"),
        (answering(b"[1, 2]"), "answer-unclear"),
        (answering(b'{"files": 3}'), "answer-unclear"),
        (answering(b'{"files": "x", "gone": 0, "cut": 0, "trouble": 7}'), "answer-unclear"),
        (answering(b"{}", 1), "probe-failed"),
        (FakeHost("loin"), "program-missing"),
        (FakeHost("loin", gone=True), "host-gone"),
    ],
)
def test_whatever_a_machine_answers_is_a_fact_or_a_gap(host: FakeHost, code: str) -> None:
    """Garbage, a failed program, a missing one and a lost machine each leave one gap and no figure."""
    found = looked("/srv", host)
    assert found.facts == ()
    assert [gap.code for gap in found.gaps] == [code]
    assert documents(host, places=("/home",), timeout=5).facts == ()


# -- documents -----------------------------------------------------------------------------------


def kinds(found: Found) -> Mapping[str, int]:
    """Files by sort, of the one fact of a look."""
    (fact,) = found.facts
    assert isinstance(fact, Documents)
    return {item.name: item.files for item in fact.kinds}


def test_documents_of_people_are_counted_by_sort(tmp_path: Path) -> None:
    """Office documents, PDF, pictures and mailboxes count; programs and what programs keep do not."""
    home = tmp_path / "camille"
    for name in ("Bureau/a.docx", "Bureau/b.xls", "c.pdf", "Images/d.JPG", "outil.py", ".cache/e.jpg"):
        make(home / name, 10)
    make(home / ".thunderbird/x1/Mail/Local/Inbox", 10)
    make(home / ".local/share/evolution/mail/local/Inbox", 10)
    make(home / ".local/share/autre/f.pdf", 10)
    make(home / "Maildir/cur/1700000000.M1.poste:2,S", 10)
    found = documents(HERE, places=(str(tmp_path),), timeout=30)
    assert kinds(found) == {"office": 2, "pdf": 1, "picture": 1, "mail": 3}
    assert found.gaps == ()


def test_a_machine_without_homes_was_looked_at(tmp_path: Path) -> None:
    """A place that is not there holds no document: a fact, not a gap."""
    assert kinds(documents(HERE, places=(str(tmp_path / "home"),), timeout=30)) == {}


@pytest.mark.needs("root")
def test_a_home_that_may_not_be_entered_is_counted_and_not_named(open_place: Path) -> None:
    """The folder of a person bears a name: the gap says how many, never whose."""
    (open_place / "camille.exemple").mkdir(mode=0o700)
    found = documents(Through(user="nobody"), places=(str(open_place),), timeout=30)  # type: ignore[arg-type]
    assert [gap.code for gap in found.gaps] == ["folder-denied"]
    assert "camille" not in str(found)
