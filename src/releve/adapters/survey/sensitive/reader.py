"""A place read for what it holds: bytes come in batches, numbers go out, nothing else is kept."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from releve.adapters.survey.asking import document, sent, unclear
from releve.adapters.survey.files import bare, closed
from releve.adapters.survey.sensitive.detect import CATEGORIES, count
from releve.adapters.survey.sensitive.extract import plain
from releve.adapters.survey.sensitive.pdf import PdfReader
from releve.adapters.survey.sensitive.refusals import Refusal, Unread
from releve.domain.audit import Found, Gap
from releve.domain.ports import Host
from releve.domain.seen import Reading, Sensitive

MOST = 500_000  # files of one place: their paths are some 50 MB here
BATCH = 32 * 2**20  # bytes asked at a time; the machine that sends holds no more than a file
CAP = 32 * 2**20  # bytes of one file: beyond, a text is read to there, any other document is not
NAMES = 2_000  # files asked at a time

_MISSED: Mapping[Unread, str] = {
    Unread.BOMB: "de documents qui se déploient sans fin (bombes), refusés",
    Unread.DAMAGED: "de documents abîmés ou qui ne sont pas ce qu'ils disent",
    Unread.LOCKED: "de documents protégés par un mot de passe",
    Unread.LARGE: "de documents trop grands pour être lus en entier",
    Unread.DENIED: "de documents ou dossiers dont la lecture est refusée",
    Unread.SLOW: "de documents trop longs à lire",
    Unread.SCAN: "de PDF sans texte (pages numérisées) dont le contenu n'a pas été lu",
    Unread.UNOPENED: "d'images, d'archives et d'autres documents dont le texte n'a pas été lu",
}
_LETTERS = {
    b"L": Unread.LARGE,
    b"O": Unread.OTHER,
    b"P": Unread.UNOPENED,
    b"D": Unread.DENIED,
    b"F": Unread.DAMAGED,
}
_NO_TEXT = (Unread.OTHER, Unread.UNOPENED, Unread.SCAN)  # nothing is wrong with them


@dataclass(slots=True)
class Tallies:
    """What was found so far. `missed` counts by reason."""

    documents: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    missed: Counter[Unread] = field(default_factory=Counter)
    read: int = 0
    size: int = 0
    vanished: int = 0  # listed, and gone when they were asked for

    def add(self, data: bytes, pdf: PdfReader) -> None:
        """One document, from its bytes. One that breaks its reader, however it does, is damaged and costs itself alone."""
        self.size += len(data)
        try:
            found = count(plain(data, pdf.text))
        except Refusal as refusal:
            self.missed[refusal.why] += 1
            return
        except MemoryError:
            self.missed[Unread.LARGE] += 1
            return
        except Exception:  # noqa: BLE001 - what it says may hold the document's words: its number alone is told
            self.missed[Unread.DAMAGED] += 1
            return
        self.read += 1
        self.hits.update(found)
        self.documents.update(found.keys())


def sensitive(
    host: Host, subject: str, place: str, *, rate: int, timeout: float, hidden: bool = True
) -> Found:
    """Which categories of personal and health data a folder of a machine holds. Never raises.

    `rate`: bytes a second at most that its disk is asked for, 0 for no limit. `timeout` seconds in all: what was
    not reached by then is a gap. `hidden`: folders with a dot too (on a person's machine, programs keep settings there, and an empty place is no wonder). A category that is not among the facts was looked for, in what `Reading` says; a place that could not be entered, or of which nothing came, has none.
    """
    begun = time.monotonic()
    names = _names(host, place, timeout, hidden=hidden)
    if isinstance(names, Gap):
        return Found(gaps=(names,))
    told, paths = names
    tallies = Tallies()
    ended = tuple(_through(host, place, told, paths, tallies, rate=rate, until=begun + timeout))
    blind = ended and not tallies.read + tallies.missed.total()
    facts = () if blind else _facts(tallies, subject, place, time.monotonic() - begun)
    return Found(facts, (*_unlisted(told, place), *ended, *_missed(tallies, place)))


def _through(
    host: Host,
    place: str,
    told: Mapping[str, Any],
    paths: Sequence[bytes],
    tallies: Tallies,
    *,
    rate: int,
    until: float,
) -> Iterator[Gap]:
    """Read batch after batch; why it ended before the end."""
    at = 0
    with PdfReader() as pdf:
        while at < len(paths):
            left = until - time.monotonic()
            if left <= 0:
                over = len(paths) - at + tallies.vanished
                yield Gap("time-over", f"le temps donné n'a pas suffi ; {_unread(over)}", place)
                return
            batch = _batch(host, place, told.get("root"), paths[at : at + NAMES], rate, left)
            if isinstance(batch, Gap):
                yield batch
                yield Gap("not-read", _unread(len(paths) - at + tallies.vanished), place)
                return
            frames, gone = batch
            taken = _take(frames, tallies, pdf, until)
            at += taken
            if gone:
                lost = len(paths) - at + tallies.vanished
                yield Gap(
                    "share-gone", f"le partage a disparu pendant qu'il était lu ; {_unread(lost)}", place
                )
                return
    if tallies.vanished:
        said = f"des fichiers ont disparu avant d'être lus ; {_unread(tallies.vanished)}"
        yield Gap("not-read", said, place)


def _unread(number: int) -> str:
    return f"nombre de fichiers non lus : {number}"


def _names(
    host: Host, place: str, timeout: float, *, hidden: bool
) -> tuple[Mapping[str, Any], Sequence[bytes]] | Gap:
    asked = {"do": "list", "place": place, "most": MOST, "hidden": hidden}
    told = sent(host, "reading", asked, what=place, timeout=timeout)
    if isinstance(told, Gap):
        return told
    head, _, rest = told.partition(b"\n")
    found = document(head, host.id, place)
    if isinstance(found, Gap):
        return found
    shut = found.get("closed")
    if isinstance(shut, dict) and (gap := closed(shut, place)):
        return gap
    if found.get("gone"):
        return Gap("share-gone", "le partage a disparu pendant que ses fichiers étaient énumérés", place)
    if hidden and found.get("bare"):
        return bare(place)
    return found, rest.split(b"\0")[:-1]


_UNLISTED = {
    "denied": ("folder-denied", "nombre de dossiers dont la lecture est refusée"),
    "failed": ("folder-failed", "nombre de dossiers en défaut"),
    "elsewhere": ("folder-elsewhere", "nombre de disques montés plus bas, qui n'ont pas été lus"),
    "more": ("too-many", f"au-delà des {MOST} premiers fichiers, nombre de fichiers non lus"),
}


def _unlisted(told: Mapping[str, Any], place: str) -> Iterator[Gap]:
    for key, (code, sentence) in _UNLISTED.items():
        if number := told.get(key):
            yield Gap(code, f"{sentence} : {number}", place)


def _batch(
    host: Host, place: str, root: object, names: Sequence[bytes], rate: int, left: float
) -> tuple[Sequence[tuple[bytes, memoryview]], bool] | Gap:
    """Frames of the first of `names`, a letter and bytes each; and whether the share has gone."""
    asked = {
        "do": "send",
        "place": place,
        "root": root,
        "names": [os.fsdecode(name) for name in names],
        "budget": BATCH if not rate else min(BATCH, max(int(rate * left / 2), 1)),
        "cap": CAP,
        "rate": rate,
    }
    told = sent(host, "reading", asked, what=place, timeout=max(left, 1.0))
    if isinstance(told, Gap):
        return told
    frames = list(_frames(told))
    if len(frames) < 2 or frames[-1][0] != b"E":
        return unclear(host.id, place)
    last = document(bytes(frames[-1][1]), host.id, place)
    return last if isinstance(last, Gap) else (frames[:-1], bool(last.get("gone")))


def _frames(told: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Frames as far as they are whole."""
    view, at = memoryview(told), 0
    while at + 9 <= len(view):
        size = int.from_bytes(view[at + 1 : at + 9], "big")
        if at + 9 + size > len(view):
            return
        yield bytes(view[at : at + 1]), view[at + 9 : at + 9 + size]
        at += 9 + size


def _take(frames: Sequence[tuple[bytes, memoryview]], tallies: Tallies, pdf: PdfReader, until: float) -> int:
    """Look at a batch, as far as the time goes; how many files it was."""
    for number, (letter, data) in enumerate(frames):
        if time.monotonic() > until:
            return number
        if letter in {b"W", b"C"}:
            tallies.add(bytes(data), pdf)
            tallies.missed[Unread.LARGE] += letter == b"C"
        elif letter == b"G":
            tallies.vanished += 1
        elif letter in _LETTERS:
            tallies.missed[_LETTERS[letter]] += 1
    return len(frames)


def _facts(tallies: Tallies, subject: str, place: str, seconds: float) -> tuple[Sensitive | Reading, ...]:
    found = (
        Sensitive(subject, place, category, tallies.documents[category], tallies.hits[category])
        for category in CATEGORIES
        if tallies.documents[category]
    )
    skipped = sum(tallies.missed[why] for why in _NO_TEXT)
    broken = tallies.missed.total() - skipped
    return (*found, Reading(subject, place, tallies.read, tallies.size, skipped, broken, seconds))


def _missed(tallies: Tallies, place: str) -> Iterator[Gap]:
    for why, sentence in _MISSED.items():
        if number := tallies.missed[why]:
            yield Gap(f"document-{why}", f"nombre {sentence} : {number}", place)
