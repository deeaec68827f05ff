"""A place read through a machine, in batches: what it finds, what it says that it did not read, what it never tells."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import struct
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import labelled
from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.probes import reading as probe
from releve.adapters.survey.sensitive import extract, reader
from releve.adapters.survey.sensitive.reader import sensitive
from releve.domain.audit import Found
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed
from releve.domain.seen import Reading, Sensitive
from tests.fakes.hosts import FakeHost

HERE = LocalHost(HostSpec("ici", "principal", Reach.LOCAL))
MOUNTED = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw"
NIR = "2 69 05 49 588 157 80"


class Between:
    """The local machine, where something happens before each question; `user` asks under another account."""

    id = "ici"

    def __init__(self, before: Callable[[int], None] = lambda _: None, user: str = "") -> None:
        self._before, self._user, self._asked = before, user, 0

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0, **_: Any) -> Completed:
        self._asked += 1
        self._before(self._asked)
        return HERE.run(argv, stdin=stdin, user=self._user, timeout=timeout)

    read = folder = write = remove = None


def looked(place: Path, host: Any = HERE, *, rate: int = 0, timeout: float = 30) -> Found:
    """The whole way."""
    return sensitive(host, "partage", str(place), rate=rate, timeout=timeout)


def hits(found: Found) -> dict[str, tuple[int, int]]:
    """Documents and hits by category."""
    return {f.category: (f.documents, f.hits) for f in found.facts if isinstance(f, Sensitive)}


def reading(found: Found) -> Reading:
    """How much was read."""
    (fact,) = (fact for fact in found.facts if isinstance(fact, Reading))
    return fact


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any account may enter."""
    made = Path(tempfile.mkdtemp(prefix="releve-essai-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_documents_are_read_by_what_they_are(place: Path) -> None:
    """A document under another name is read, a picture under a document's name is not, and both are counted."""
    (place / "photo.jpg").write_bytes(labelled.docx(random.Random(1), [f"NIR {NIR}"]))
    (place / "notes").write_text(f"NIR {NIR}, {NIR}\n")
    (place / "lettre.docx").write_bytes(b"\xff\xd8\xff\xe0" + bytes(5000))
    (place / "sous").mkdir()
    (place / "sous/vide.txt").write_bytes(b"")
    found = looked(place)
    assert hits(found) == {"nir": (2, 3)}
    assert (reading(found).documents, reading(found).skipped, reading(found).broken) == (3, 1, 0)
    assert [gap.code for gap in found.gaps] == ["document-unopened"]


PICTURES = (
    b"\xff\xd8\xff\xe0\0",
    b"\x89PNG\r\n\x1a\n\0",
    b"II*\0",
    b"RIFF\0\0\0\0WEBP",
    b"\0\0\0\x18ftypheic",
)


def test_scans_pictures_and_archives_are_said_not_to_be_read(place: Path) -> None:
    """Each may hold text that we do not read: counted by reason; a film or a program is no such thing."""
    (place / "ordonnance.pdf").write_bytes(labelled.pdf(random.Random(1), [""]))
    (place / "lettre.pdf").write_bytes(labelled.pdf(random.Random(1), ["bonjour"]))
    (place / "BM.txt").write_text("BMW de service, BZh, GIF")
    for number, head in enumerate(PICTURES):
        (place / f"{number}.bin").write_bytes(head)
    (place / "a.zip").write_bytes(labelled._zipped({"photo.jpg": "x"}))
    (place / "a.tgz").write_bytes(gzip.compress(bytes(50)))
    (place / "outil").write_bytes(b"\x7fELF" + bytes(50))
    found = looked(place)
    assert (reading(found).documents, reading(found).skipped, reading(found).broken) == (2, 9, 0)
    assert [(gap.code, gap.sentence) for gap in found.gaps] == [
        ("document-scan", "nombre de PDF sans texte (pages numérisées) dont le contenu n'a pas été lu : 1"),
        (
            "document-unopened",
            "nombre d'images, d'archives et d'autres documents dont le texte n'a pas été lu : 7",
        ),
    ]


@pytest.mark.needs("root")
def test_a_place_that_may_not_be_entered_is_a_gap_alone(place: Path) -> None:
    """Without the right to enter it, no reading of zero documents is told: nobody looked."""
    (place / "ferme").mkdir(mode=0o700)
    found = looked(place / "ferme", Between(user="nobody"))
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["place-denied"])


def test_nothing_of_a_document_nor_its_name_is_told(place: Path) -> None:
    """Neither a found value nor the name of a file is anywhere in what comes back, faults included."""
    (place / "camille-exemple.txt").write_text(f"NIR {NIR}, sacha@exemple.fr")
    (place / "camille-modele.docx").write_bytes(b"PK\x03\x04 abime")
    told = str(looked(place))
    assert "document-damaged" in told
    for secret in ("camille", "sacha", "588"):
        assert secret not in told


def test_bombs_and_damage_are_gaps_with_their_number(place: Path) -> None:
    """What could not be read is counted by reason, and the others are read."""
    bomb = {"[Content_Types].xml": "", "word/document.xml": f"<d>{' ' * 30_000_000}</d>"}
    (place / "a.docx").write_bytes(labelled._zipped(bomb))
    (place / "b.pdf").write_bytes(b"%PDF-1.4 rien")
    (place / "c.odt").write_bytes(labelled.odt(random.Random(1), ["x"])[:-30])
    (place / "d.txt").write_text(f"NIR {NIR}")
    found = looked(place)
    assert hits(found) == {"nir": (1, 1)}
    assert reading(found).broken == 3
    assert sorted((gap.code, gap.sentence[-1]) for gap in found.gaps) == [
        ("document-bomb", "1"),
        ("document-damaged", "2"),
    ]


def test_a_document_that_memory_does_not_hold_costs_itself_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted as not read; the others are read, and the look goes on."""

    def office(_data: bytes) -> str:
        raise MemoryError

    monkeypatch.setattr(extract, "office", office)
    (place / "a.docx").write_bytes(labelled.docx(random.Random(1), ["x"]))
    (place / "b.txt").write_text(f"NIR {NIR}")
    found = looked(place)
    assert hits(found) == {"nir": (1, 1)}
    assert [(gap.code, gap.sentence[-1]) for gap in found.gaps] == [("document-large", "1")]


def far_zip() -> bytes:
    """An archive whose directory puts a part beyond what any file offset can say."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        part = zipfile.ZipInfo("word/document.xml")
        part.extra = struct.pack("<HHQ", 1, 8, 2**63)
        archive.writestr(part, "<d/>")
    data = bytearray(out.getvalue())
    at = data.rfind(b"PK\x01\x02") + 42
    data[at : at + 4] = b"\xff" * 4
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        labelled._zipped(
            {
                "[Content_Types].xml": "",
                "word/document.xml": f'<?xml version="1.0" encoding="nir-{NIR.replace(" ", "")}"?><d/>',
            }
        ),
        far_zip(),
    ],
)
def test_a_document_that_breaks_its_reader_costs_itself_alone(place: Path, data: bytes) -> None:
    """Whatever the reader stumbles on, it is one damaged document; the others are read."""
    (place / "a.docx").write_bytes(data)
    (place / "b.txt").write_text(f"NIR {NIR}")
    found = looked(place)
    assert hits(found) == {"nir": (1, 1)}
    assert [(gap.code, gap.sentence[-1]) for gap in found.gaps] == [("document-damaged", "1")]


def test_many_files_come_in_many_batches(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is read once, whatever the batches."""
    monkeypatch.setattr(reader, "BATCH", 3000)
    monkeypatch.setattr(reader, "NAMES", 7)
    for number in range(30):
        (place / f"{number}.txt").write_text(f"NIR {NIR}\n" + "x" * (number * 40))
    asked: list[int] = []
    found = looked(place, Between(asked.append))
    assert hits(found) == {"nir": (30, 30)}
    assert len(asked) > 6


def test_a_long_text_is_read_to_the_cap_and_said_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beyond the cap is a gap; a long archive is not read at all."""
    monkeypatch.setattr(reader, "CAP", 20_000)
    (place / "long.txt").write_text(f"NIR {NIR}\n{'x' * 30_000}\nNIR {NIR}")
    (place / "long.docx").write_bytes(b"PK\x03\x04" + bytes(30_000))
    found = looked(place)
    assert hits(found) == {"nir": (1, 1)}
    assert [(gap.code, gap.sentence[-1]) for gap in found.gaps] == [("document-large", "2")]


def test_the_rate_is_kept(place: Path) -> None:
    """A million bytes at two million a second take half a second at least."""
    for number in range(10):
        (place / f"{number}.txt").write_text("x" * 100_000)
    begun = time.monotonic()
    found = looked(place, rate=2_000_000)
    assert time.monotonic() - begun >= 0.5
    assert reading(found).bytes == 1_000_000


def test_a_share_that_disappears_midway_is_said_to_be_gone(place: Path) -> None:
    """It went away after it was listed: nothing was read, and this is a gap, not an empty share."""
    (place / "a.txt").write_text(f"NIR {NIR}")
    found = looked(place, Between(lambda number: shutil.rmtree(place) if number == 2 else None))
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["share-gone"])


def test_a_share_that_is_unmounted_midway_leaves_a_folder_that_is_not_the_share(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder stands at its place: what was read is told, and how many files were not."""
    monkeypatch.setattr(reader, "NAMES", 2)
    for number in range(5):
        (place / f"{number}.txt").write_text(f"NIR {NIR}")

    def unmounted(number: int) -> None:
        if number == 3:
            place.rename(f"{place}-ailleurs")
            place.mkdir()

    found = looked(place, Between(unmounted))
    shutil.rmtree(f"{place}-ailleurs")
    assert hits(found) == {"nir": (2, 2)}
    assert [(gap.code, gap.sentence) for gap in found.gaps] == [
        ("share-gone", "le partage a disparu pendant qu'il était lu ; nombre de fichiers non lus : 3")
    ]


def test_a_share_that_is_unmounted_while_it_is_listed_is_gone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was listed of it by then is not all that it held."""
    (place / "a.txt").write_text("x")
    scanned = os.scandir

    def scandir(handle: int) -> Any:
        place.rename(f"{place}-ailleurs")
        place.mkdir()
        return scanned(handle)

    monkeypatch.setattr(probe.os, "scandir", scandir)
    told, names = probe.listed(os.fsencode(place), 10)
    monkeypatch.undo()
    shutil.rmtree(f"{place}-ailleurs")
    assert (len(names), told["gone"]) == (1, True)
    answer = json.dumps(told).encode() + b"\n"
    found = looked(place, FakeHost("loin", {"python3": lambda _: Completed(0, answer, b"")}))
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["share-gone"])


def test_a_folder_that_holds_nothing_at_all_is_no_clean_share(place: Path) -> None:
    """So looks the place of a share that is not mounted; an empty folder of a person's machine is no wonder."""
    found = looked(place)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["place-bare"])
    people = sensitive(HERE, "poste", str(place), rate=0, timeout=30, hidden=False)
    assert (reading(people).documents, people.gaps) == (0, ())
    (place / "dossier").mkdir()
    assert (reading(looked(place)).documents, looked(place).gaps) == (0, ())


def test_a_disk_that_should_be_mounted_and_is_not_is_a_gap(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies below the place of a disk is not what the disk holds."""
    (place / "trace.txt").write_text("x")
    tables = {"/etc/fstab": f"LABEL=p {place} ext4 defaults 0 2", "/proc/self/mountinfo": MOUNTED}
    monkeypatch.setattr(probe, "_read", tables.__getitem__)
    told, names = probe.listed(os.fsencode(place), 10)
    assert (told["closed"]["unmounted"], names) == (str(place), [])


def test_files_that_disappear_are_counted_and_those_that_stay_are_read(place: Path) -> None:
    """People go on working: a file that was listed and removed was not read, and it is said."""
    (place / "a.txt").write_text(f"NIR {NIR}")
    (place / "b.txt").write_text(f"NIR {NIR}")
    found = looked(place, Between(lambda number: (place / "a.txt").unlink() if number == 2 else None))
    assert hits(found) == {"nir": (1, 1)}
    assert [(gap.code, gap.sentence) for gap in found.gaps] == [
        ("not-read", "des fichiers ont disparu avant d'être lus ; nombre de fichiers non lus : 1")
    ]


def test_a_place_of_which_every_file_disappears_is_not_a_clean_one(place: Path) -> None:
    """Nothing was read: there is no reading of zero documents, but what was not read."""
    for name in "ab":
        (place / f"{name}.txt").write_text(f"NIR {NIR}")

    def emptied(number: int) -> None:
        for file in place.iterdir() if number == 2 else ():
            file.unlink()

    found = looked(place, Between(emptied))
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["not-read"])
    assert found.gaps[0].sentence.endswith(": 2")


@pytest.mark.needs("root")
def test_what_may_not_be_read_is_a_gap(place: Path) -> None:
    """A file and a folder that another account may not read are counted, the rest is read."""
    (place / "a.txt").write_text(f"NIR {NIR}")
    (place / "a.txt").chmod(0o600)
    (place / "b.txt").write_text(f"NIR {NIR}")
    (place / "sous").mkdir(mode=0o700)
    found = looked(place, Between(user="nobody"))
    assert hits(found) == {"nir": (1, 1)}
    assert sorted(gap.code for gap in found.gaps) == ["document-denied", "folder-denied"]


def test_names_of_any_bytes_are_read(place: Path) -> None:
    """A name that is no UTF-8, or that holds a line end or a quote, is a name."""
    for name in (b"caf\xe9.txt", b"a\nb.txt", b'l\'autre "un".txt'):
        Path(os.fsdecode(os.fsencode(place) + b"/" + name)).write_text(f"NIR {NIR}")
    assert hits(looked(place)) == {"nir": (3, 3)}


def test_pipes_links_and_access_times_are_left_alone(place: Path) -> None:
    """A pipe does not hold the reader, a link is not followed, and nothing looks as if it had been opened."""
    (place / "a.txt").write_text(f"NIR {NIR}")
    os.utime(place / "a.txt", (1_000_000_000, 1_000_000_000))
    os.mkfifo(place / "tuyau")
    (place / "lien").symlink_to(place / "a.txt")
    assert hits(looked(place)) == {"nir": (1, 1)}
    assert (place / "a.txt").stat().st_atime == 1_000_000_000


def test_a_link_put_in_the_place_of_a_file_is_not_followed(place: Path) -> None:
    """A file that was listed may be a link to anywhere by the time it is asked for."""
    (place / "a.txt").write_text("x")
    secret = place.with_name(f"{place.name}-ailleurs")
    secret.write_text(f"NIR {NIR}")

    def swapped(number: int) -> None:
        if number == 2:
            (place / "a.txt").unlink()
            (place / "a.txt").symlink_to(secret)

    found = looked(place, Between(swapped))
    secret.unlink()
    assert (hits(found), [gap.code for gap in found.gaps]) == ({}, ["not-read"])


def test_a_pipe_put_in_the_place_of_a_file_does_not_hold_the_reader(place: Path) -> None:
    """Nobody writes into it: it is opened without waiting, and is no document."""
    pipe = place / "tuyau"
    os.mkfifo(pipe)
    late = threading.Timer(2, lambda: os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)))
    late.start()
    begun = time.monotonic()
    told = probe.content(os.fsencode(pipe), 100)
    late.cancel()
    assert told == (b"O", b"", 0)
    assert time.monotonic() - begun < 1


def test_time_over_says_how_many_were_not_read(place: Path) -> None:
    """Past its time the reading stops with a gap."""
    (place / "a.txt").write_text("x")
    found = looked(place, Between(lambda number: time.sleep(0.4) if number == 1 else None), timeout=0.4)
    assert [gap.code for gap in found.gaps][:1] in (["time-over"], ["host-timeout"])
    assert [fact for fact in found.facts if isinstance(fact, Sensitive)] == []


def test_time_is_looked_at_within_a_batch(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents that take long each do not carry the look past its time: what is left of the batch is not read."""
    clock = [0.0]

    def office(_data: bytes) -> str:
        clock[0] += 20
        return f"NIR {NIR}"

    monkeypatch.setattr(reader, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(extract, "office", office)
    for number in range(5):
        (place / f"{number}.docx").write_bytes(labelled.docx(random.Random(1), ["x"]))
    found = looked(place, timeout=30)
    assert hits(found) == {"nir": (2, 2)}
    assert [(gap.code, gap.sentence) for gap in found.gaps] == [
        ("time-over", "le temps donné n'a pas suffi ; nombre de fichiers non lus : 3")
    ]


def test_a_file_where_a_folder_should_be_is_said_to_be_none(place: Path) -> None:
    """It exists: to say that it does not would send people looking for it."""
    (place / "a").write_text("x")
    found = looked(place / "a")
    assert (found.facts, [gap.sentence for gap in found.gaps]) == ((), ["ce n'est pas un dossier"])


def test_too_many_files_are_said_to_be_too_many(place: Path) -> None:
    """Beyond the list that is kept, files are counted."""
    for number in range(5):
        (place / f"{number}").touch()
    told, names = probe.listed(os.fsencode(place), 3)
    assert (len(names), told["more"]) == (3, 2)


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ([b"rien"], ["answer-unclear"]),
        ([b'{"closed": {"absent": true}}\n'], ["place-absent"]),
        ([b'{"closed": {"absent": false}}\n'], ["place-failed"]),
        ([b'{"closed": {"absent": false, "plain": true}}\n'], ["place-plain"]),
        ([b'{"closed": {"absent": false, "unmounted": "/p"}}\n'], ["place-unmounted"]),
        ([b"{}\n/p/a\0", b"W" + bytes(8) + b"E" + bytes(7) + b"\x02[]"], ["answer-unclear", "not-read"]),
        ([b"{}\n/p/a\0", b""], ["answer-unclear", "not-read"]),
        ([b"{}\n/p/a\0", b"W\xff\xff\xff\xff\xff\xff\xff\xff"], ["answer-unclear", "not-read"]),
        ([b"{}\n/p/a\0", b"E" + bytes(7) + b"\x02{}"], ["answer-unclear", "not-read"]),
    ],
)
def test_garbage_from_a_machine_is_a_gap(answer: list[bytes], codes: list[str]) -> None:
    """Whatever comes back ends in gaps, and what was not read is said."""
    left = iter(answer)
    host = FakeHost("loin", {"python3": lambda _: Completed(0, next(left), b"")})
    found = looked(Path("/p"), host)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), codes)


def test_the_settings_of_programs_are_left_alone_on_a_persons_machine(tmp_path: Path) -> None:
    """Folders with a dot are read in a share, and not in what people keep on their machine."""
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "profil.txt").write_text("1 85 05 78 006 084 91")
    (tmp_path / "lettre.txt").write_text("bonjour")
    _told, every = probe.listed(os.fsencode(tmp_path), 10)
    _told, few = probe.listed(os.fsencode(tmp_path), 10, hidden=False)
    assert sorted(name.rsplit(b"/", 1)[-1] for name in every) == [b"lettre.txt", b"profil.txt"]
    assert [name.rsplit(b"/", 1)[-1] for name in few] == [b"lettre.txt"]
