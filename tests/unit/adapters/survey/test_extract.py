"""Documents as they come: what they are, whatever they are called; and those made to do harm."""

from __future__ import annotations

import base64
import io
import random
import resource
import signal
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import typst

from bench import labelled
from releve.adapters.survey.sensitive import archive
from releve.adapters.survey.sensitive.archive import PARTS, office
from releve.adapters.survey.sensitive.detect import count
from releve.adapters.survey.sensitive.extract import plain
from releve.adapters.survey.sensitive.mail import PARTS as MAIL_PARTS
from releve.adapters.survey.sensitive.pdf import PdfReader
from releve.adapters.survey.sensitive.refusals import Refusal, Unread

LINES = ("Antécédents : épilepsie", "NIR 2 69 05 49 588 157 80", "camille@exemple.fr & <autre>")
HITS = {"nir": 1, "email": 1, "health": 2}
ONE = {"nir": 1}


def no_pdf(data: bytes) -> str:
    """Where no PDF is expected."""
    raise AssertionError(len(data))


def zipped(parts: dict[str, bytes]) -> bytes:
    """A ZIP of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(name, data)
    return out.getvalue()


def why(data: bytes) -> Unread:
    """The reason for which a document is not read."""
    with pytest.raises(Refusal) as caught:
        plain(data, no_pdf)
    return caught.value.why


@pytest.mark.parametrize("make", [labelled.docx, labelled.xlsx, labelled.odt])
def test_office_documents_are_read_across_their_runs(make: object) -> None:
    """A number cut by Word's runs is found whole; a cell or a paragraph is not joined to the next."""
    for seed in range(5):
        data = make(random.Random(seed), LINES)  # type: ignore[operator]
        assert count(plain(data, no_pdf)) == HITS


def test_a_spreadsheet_number_is_found_in_its_own_notation() -> None:
    """A NIR that is a number in a cell is written with an exponent in the file."""
    sheet = "<worksheet><row><c><v>2.6905495881578E14</v></c><c><v>7</v></c></row></worksheet>"
    data = zipped({"[Content_Types].xml": b"<Types/>", "xl/worksheets/sheet1.xml": sheet.encode()})
    assert count(plain(data, no_pdf)) == ONE


def test_a_pdf_is_read_in_its_own_process() -> None:
    """The text of a PDF is found, page after page, by one process for many documents."""
    made = typst.compile(
        ("#pagebreak()\n".join(line.replace("@", "\\@").replace("<", "\\<") for line in LINES)).encode()
    )
    with PdfReader() as pdf:
        assert count(plain(made, pdf.text)) == HITS
        assert count(plain(made, pdf.text)) == HITS


@pytest.mark.parametrize("name", ["zlib", "select", "pypdfium2"])
def test_the_pdf_process_runs_no_code_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An audit started from a share runs nothing that lies there under the name of a module."""
    (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    with PdfReader() as pdf:
        assert pdf.text(typst.compile(b"suite")).strip() == "suite"
        assert pdf._process is not None
        own = Path("/proc", str(pdf._process.pid))
        assert b"-P" in (own / "cmdline").read_bytes().split(b"\0")
        assert (own / "cwd").readlink() == Path("/")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("body", [b"", b"\n%%EOF", b"1 0 obj <<" * 1000])
def test_a_file_that_says_it_is_a_pdf_and_is_not_is_refused(body: bytes) -> None:
    """It is counted as damaged, and the next one is read."""
    with PdfReader() as pdf:
        with pytest.raises(Refusal) as caught:
            plain(b"%PDF-1.7\n" + body, pdf.text)
        assert caught.value.why is Unread.DAMAGED
        assert pdf.text(typst.compile(b"suite")).strip() == "suite"


def test_a_pdf_process_that_dies_or_hangs_is_replaced() -> None:
    """The death of the process is the document's, not the audit's; so is its silence."""
    made = typst.compile(b"suite")
    with PdfReader() as pdf:
        pdf.text(made)
        assert pdf._process is not None
        pdf._process.kill()
        pdf._process.wait()
        assert pdf.text(made).strip() == "suite"
        pdf._process.send_signal(signal.SIGSTOP)  # it will not answer, however slow we are to ask
        pdf._seconds = 0.2
        with pytest.raises(Refusal) as caught:
            pdf.text(made)
        assert caught.value.why is Unread.SLOW
        pdf._seconds = 30.0
        assert pdf.text(made).strip() == "suite"


def test_a_bomb_is_refused_while_it_unfolds() -> None:
    """60 MB of spaces in 60 kB: refused after about a megabyte, whatever its directory says."""
    bomb = b"<document><p>" + b" " * 60_000_000 + b"</p></document>"
    assert why(zipped({"[Content_Types].xml": b"", "word/document.xml": bomb})) is Unread.BOMB


def test_parts_that_are_each_small_enough_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a document unfolds to is bounded as a whole."""
    part = b"<d>" + b" " * 900_000 + b"</d>"
    parts = {"word/document.xml": part} | {f"word/header{number}.xml": part for number in range(3)}
    assert plain(zipped(parts), no_pdf).strip() == b""
    monkeypatch.setattr(archive, "UNFOLDED", 2_000_000)
    assert why(zipped(parts)) is Unread.BOMB


def test_the_pdf_process_has_little_memory_and_leaves_no_core() -> None:
    """A file made to swell ends that process, not the machine; what it held is written nowhere."""
    with PdfReader() as pdf:
        pdf.text(typst.compile(b"suite"))
        assert pdf._process is not None
        limits = [
            resource.prlimit(pdf._process.pid, what) for what in (resource.RLIMIT_AS, resource.RLIMIT_CORE)
        ]
    assert limits == [(2 * 2**30, 2 * 2**30), (0, 0)]


def test_entities_that_multiply_are_refused() -> None:
    """A document type declaration has no place in an office document: a billion laughs is not told."""
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><document><p>&b;</p></document>'
    assert why(zipped({"mimetype": b"", "content.xml": laughs})) is Unread.BOMB


def test_too_many_parts_are_refused() -> None:
    """An archive of thousands of parts is no document."""
    assert why(zipped({"mimetype": b""} | {f"word/header{n}.xml": b"" for n in range(PARTS)})) is Unread.BOMB


def test_a_document_of_real_size_is_no_bomb() -> None:
    """Text that repeats itself, as real text does, unfolds within the bounds."""
    lines = [f"Ligne {number} du relevé annuel de la maison." for number in range(40_000)]
    assert b"ligne 39999" in plain(labelled.docx(random.Random(1), [*lines, *LINES]), no_pdf)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (labelled.odt(random.Random(1), LINES)[:200], Unread.DAMAGED),
        (zipped({"mimetype": b"", "content.xml": b"<a><b></a>"}), Unread.DAMAGED),
        (zipped({"photo.jpg": b"\xff\xd8"}), Unread.UNOPENED),
        (b"\xff\xd8\xff\xe0" + bytes(500), Unread.OTHER),
        (bytes(range(256)) * 40, Unread.OTHER),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: Unread) -> None:
    """Damaged documents are told from what holds no text."""
    assert why(data) is reason


def test_a_locked_part_is_said_to_be_locked() -> None:
    """A part whose directory says that it needs a password is not read as rubbish."""
    data = bytearray(zipped({"mimetype": b"", "content.xml": b"<a>x</a>"}))
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = 0
        while (at := data.find(mark, at)) >= 0:
            data[at + offset] |= 1
            at += 4
    with pytest.raises(Refusal) as caught:
        office(bytes(data))
    assert caught.value.why is Unread.LOCKED


def test_rich_text_and_old_word_files_give_their_numbers() -> None:
    """RTF without its control words; a file of before 2007 roughly, in both its encodings."""
    rtf = rb"{\rtf1\ansi{\b Ant\'e9c\'e9dents} : \'e9pilepsie\par NIR 2 69 05 49 588 157 80\par}"
    assert count(plain(rtf, no_pdf)) == {"nir": 1, "health": 2}
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    for text in ("NIR 269054958815780 fin".encode("utf-16-le"), b"NIR 269054958815780 fin"):
        assert count(plain(head + b"\x01\x02" * 60 + text + bytes(200), no_pdf)) == ONE


def test_a_letter_in_quoted_printable_is_read() -> None:
    """An e-mail's accents and soft line ends do not hide what it says."""
    letter = (
        b"From: a\nContent-Transfer-Encoding: quoted-printable\n\nAnt=C3=A9c=C3=A9dents : =C3=A9pil=\nepsie"
    )
    assert count(plain(letter, no_pdf)) == {"health": 2}


def letter(body: bytes, how: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A letter whose body is packed so."""
    head = f"Received: {'x' * 9000}\nSubject: a\nMIME-Version: 1.0\nContent-Type: {kind}\n"
    return head.encode() + f"Content-Transfer-Encoding: {how}\n\n".encode() + body


def test_a_letter_in_base64_is_read() -> None:
    """So is a part of one, in any of the encodings that people write in; its attachments are not."""
    text = "\n".join(LINES).encode()
    assert count(plain(letter(base64.encodebytes(text), "base64"), no_pdf)) == HITS
    latin = base64.encodebytes(LINES[0].encode("cp1252"))
    parts = [
        b"Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: BASE64\n\n" + latin,
        b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(text),
    ]
    body = b"--b\n" + b"\n--b\n".join(parts) + b"\n--b--\n"
    whole = letter(body, "7bit", "multipart/mixed; boundary=b")
    assert count(plain(whole, no_pdf)) == {"health": 2}
    assert count(plain(b"From x\n" + whole + b"\nFrom y\n" + whole, no_pdf)) == {"health": 4}


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(60)),
        b"--b\n\nx\n" * (MAIL_PARTS + 1),
    ],
)
def test_a_letter_made_to_take_long_is_refused(body: bytes) -> None:
    """Parts within parts, or too many of them, are refused before they are taken apart."""
    assert why(letter(body, "7bit", "multipart/mixed; boundary=b")) is Unread.BOMB


def test_a_text_with_colons_is_no_letter() -> None:
    """What only looks a little like one is read as it is."""
    assert count(plain(b"Nom: Camille\nNIR: 2 69 05 49 588 157 80=\n", no_pdf)) == ONE


def test_what_looks_like_a_letter_hides_nothing_that_is_not_packed() -> None:
    """The trace of an exchange with a server, say, whose body is no text by its own word."""
    trace = f'Host: exemple.test\nContent-Type: application/json\n\n{{"nir": "{LINES[1]}"}}\n'
    assert count(plain(trace.encode(), no_pdf)) == ONE


@pytest.mark.parametrize("name", ["word/document2.xml", "Word/Document.xml", "xl/SHAREDSTRINGS.XML"])
def test_a_part_is_found_whatever_the_case_and_number_of_its_name(name: str) -> None:
    """Some programs number the main part, others write its name otherwise."""
    xml = f"<d><p>{LINES[1]}</p></d>".encode()
    assert count(plain(zipped({"[Content_Types].xml": b"", name: xml}), no_pdf)) == ONE


@pytest.mark.parametrize(
    "parts",
    [
        {"[Content_Types].xml": b"", "xl/worksheets/sheet1.bin": b"NIR"},
        {"[Content_Types].xml": b"", "visio/pages/page1.xml": b"<d>NIR</d>"},
        {"mimetype": b"application/epub+zip", "OEBPS/un.xhtml": b"<p>NIR</p>"},
        {"mimetype": b"", "a.txt": b"NIR"},
    ],
)
def test_a_package_of_which_nothing_is_read_is_not_read(parts: dict[str, bytes]) -> None:
    """A document of a sort that we do not know does not count as read and clean."""
    assert why(zipped(parts)) is Unread.UNOPENED


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_part_packed_as_no_office_document_is_never_unfolded(method: int) -> None:
    """Such a part unfolds at once, whatever is asked of it: it is refused before its first byte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr("[Content_Types].xml", b"")
        made.writestr("word/document.xml", b"<d>" + b" " * 20_000_000 + b"</d>")
    tracemalloc.start()
    try:
        assert why(out.getvalue()) is Unread.DAMAGED
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
