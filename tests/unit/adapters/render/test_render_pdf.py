"""Documents as PDF: what went in comes out, whatever it is, in a file that people and machines can read."""

from __future__ import annotations

import ctypes
import json
import re
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from releve.adapters.render import to_json, to_pdf
from releve.adapters.render.glyphs import _RUNS, can_draw, printable
from releve.adapters.render.pdf import _compile, render
from releve.domain.document import (
    Bar,
    Block,
    Callout,
    Column,
    Document,
    Figure,
    Items,
    KeyFigures,
    Mark,
    Paragraph,
    Section,
    Table,
    Timeline,
    Tone,
)
from releve.domain.errors import BadInput, ReleveError
from tests.golden.report.scenario import full, green

AT = datetime(2026, 9, 18, 15, 3, 2, tzinfo=UTC)


def document(*blocks: Block, title: str = "Compte rendu", association: str = "Les Tilleuls") -> Document:
    """A document of one section."""
    return Document(title, "Essai", association, AT, (("Incident", "inc-1"),), (Section("Partie", blocks),))


def pages(pdf: bytes) -> list[str]:
    """The text of each page, with its lines joined."""
    with pypdfium2.PdfDocument(pdf) as opened:
        texts = [page.get_textpage().get_text_bounded() for page in opened]
    # pdfium marks a hyphen at the end of a line so
    return [text.replace("\r\n", "").replace("\ufffe", "-").replace("\x02", "-") for text in texts]


def bare(text: str) -> str:
    """`text` without any space: line ends are the layout's business."""
    return re.sub(r"\s", "", text)


def outside(pdf: bytes) -> int:
    """How many pieces of text stand off the paper: in its side margins, or within 8 mm of an edge."""
    side, edge = 15 * 72 / 25.4, 8 * 72 / 25.4
    count = 0
    with pypdfium2.PdfDocument(pdf) as opened:
        for page in opened:
            text = page.get_textpage()
            width, height = page.get_size()
            for n in range(text.count_rects()):
                left, bottom, right, top = text.get_rect(n)
                count += left < side or right > width - side or bottom < edge or top > height - edge
    return count


def strings(value: object) -> Iterator[str]:
    """Every text that a JSON value shows (tones, types and instants are not shown)."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in {"type", "tone", "created_at", "language", "alt", "label"}:
                yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def alternatives(pdf: bytes) -> list[str]:
    """The text that a screen reader says for each picture."""
    found: list[str] = []

    def walk(element: object) -> None:
        size = pdfium.FPDF_StructElement_GetAltText(element, None, 0)
        if size > 2:
            buffer = ctypes.create_string_buffer(size)
            pdfium.FPDF_StructElement_GetAltText(element, buffer, size)
            found.append(buffer.raw[: size - 2].decode("utf-16-le"))
        for index in range(max(0, pdfium.FPDF_StructElement_CountChildren(element))):
            child = pdfium.FPDF_StructElement_GetChildAtIndex(element, index)
            if child:
                walk(child)

    with pypdfium2.PdfDocument(pdf) as opened:
        for page in opened:
            tree = pdfium.FPDF_StructTree_GetForPage(page)
            for index in range(pdfium.FPDF_StructTree_CountChildren(tree)):
                walk(pdfium.FPDF_StructTree_GetChildAtIndex(tree, index))
            pdfium.FPDF_StructTree_Close(tree)
    return found


@pytest.mark.parametrize("make", [full, green])
def test_every_text_of_a_report_is_printed(make: object) -> None:
    """Nothing that the report says is missing from the paper."""
    source = make()  # type: ignore[operator]
    printed = bare("".join(pages(render(source))))
    missing = [text for text in strings(to_json(source)) if bare(printable(text)) not in printed]
    assert missing == []


def test_the_file_is_tagged_archival_and_accessible() -> None:
    """The PDF declares PDF/A-2a and PDF/UA-1, its language and its title, and carries its structure."""
    pdf = render(full())
    for mark in (b"<pdfaid:part>2<", b"<pdfaid:conformance>A<", b"<pdfuaid:part>1<", b"/Lang(fr)"):
        assert mark in pdf
    with pypdfium2.PdfDocument(pdf) as opened:
        assert pdfium.FPDFCatalog_IsTagged(opened)
        assert opened.get_metadata_dict()["Title"].startswith("Compte rendu d'incident")


def test_a_picture_is_told_in_words() -> None:
    """Whoever cannot see the timeline hears its steps."""
    bars = (
        Bar("1. Fermer", 0.0, 1.0, Tone.OK, "1 s, faite"),
        Bar("2. Ouvrir", 1.0, 2.0, Tone.BROKEN, "1 s, échouée"),
    )
    picture = Timeline("Étapes", "Deux étapes en deux secondes.", 2.0, ((0.0, "0"), (2.0, "2 s")), bars)
    pdf = render(document(picture))
    assert "Deux étapes en deux secondes." in alternatives(pdf)
    assert "1. Fermer" in pages(pdf)[0]
    assert "échouée" in pages(pdf)[0]


def test_a_long_timeline_keeps_every_bar() -> None:
    """A hundred steps are drawn in several pictures rather than off the paper."""
    bars = tuple(Bar(f"étape-{n}", n / 10, n / 10 + 0.1, Tone.OK, f"durée-{n}") for n in range(100))
    text = "".join(pages(render(document(Timeline("Étapes", "Cent étapes.", 10.0, ((0.0, "0"),), bars)))))
    assert [n for n in range(100) if f"durée-{n}" not in text] == []


HOSTILE = (
    '#panic("x")',
    "#{ sys.inputs }",
    '#include "/etc/passwd"',
    '#image("/etc/hostname")',
    "*gras* _souligné_ `code` $x^2$ <étiquette> @référence",
    "= Titre",
    "- liste / terme: + suite",
    "\\ \\u{41} \\",
    '"] #eval("1") [',
    "https://example.invalid // commentaire /* suite */",
    "~ -- --- ... 'simple' \"double\"",
    "{accolades} [crochets] (parenthèses) %s {0} ${HOME}",
    "Zoë Ľubomír Ångström Đặng Ωμέγα Жанна",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_shown_as_it_stands(text: str) -> None:
    """A name that is also typst markup is printed letter for letter, everywhere it may appear."""
    table = Table(text, (Column(text), Column("Autre")), ((text, Mark(Tone.BROKEN, text)),))
    bars = (Bar(text[:30], 0.0, 1.0, Tone.OK, text[:20]),)
    blocks: tuple[Block, ...] = (
        Paragraph(text),
        Items((text,)),
        Items((text,), ordered=True),
        Callout(Tone.NOTE, text, text),
        KeyFigures((Figure(text, text, Tone.KEPT, text),)),
        table,
        Timeline(text, text, 1.0, ((0.0, text[:8]),), bars),
    )
    source = replace(document(*blocks, title=text, association=text), subtitle=text, metadata=((text, text),))
    printed = bare("".join(pages(render(source))))
    # title, subtitle, two of metadata, paragraph, two lists, callout twice, figure three times, table four
    assert printed.count(bare(printable(text))) >= 15


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a‹U+0000›b"),
        ("\x1b[31m", "‹U+001B›[31m"),
        ("😀", "‹U+1F600›"),
        ("\u202egnp.exe", "‹U+202E›gnp.exe"),
        ("\u2066x\u2069", "‹U+2066›x‹U+2069›"),
        ("م", "‹U+0645›"),
        ("中", "‹U+4E2D›"),
        ("a\u200bb", "a‹U+200B›b"),
        ("\ufeffa", "‹U+FEFF›a"),
        ("\ud800", "‹U+D800›"),
        ("\U0010ffff\ue000", "‹U+10FFFF›‹U+E000›"),
        ("q\u0301", "q‹U+0301›"),
        ("e\u0301", "é"),
        ("une\nligne\tici", "une ligne ici"),
        ("« oui » : non ?", "«\xa0oui\xa0»\xa0: non\xa0?"),
    ],
)
def test_what_cannot_be_drawn_is_shown_by_its_code(text: str, shown: str) -> None:
    """A character without a glyph, or one that would turn the line around, is replaced in plain sight."""
    assert printable(text) == shown
    pdf = render(document(Paragraph(text), title=f"Titre {text}", association=text))
    assert bare(shown) in bare(pages(pdf)[0])


def test_every_character_allowed_is_drawn() -> None:
    """Each character that is let through has a glyph in the fonts that typst carries."""
    drawn = [chr(code) for first, last in _RUNS for code in range(first, last + 1) if can_draw(code)]
    unassigned = [character for character in drawn if unicodedata.category(character) == "Cn"]
    assert unassigned == []
    lines = tuple(" ".join(drawn[start : start + 64]) for start in range(0, len(drawn), 64))
    assert pages(render(document(Items(lines))))


@pytest.mark.parametrize("word", ["x" * 10_000, "é" * 10_000, "0123456789abcdef" * 625])
def test_an_endless_word_stays_on_the_paper(word: str) -> None:
    """A word of ten thousand letters is cut into lines, in a sentence as in a narrow cell, and stays whole."""
    columns = (Column("Étroite", 1), Column("Large", 5))
    table = Table("Tableau", columns, ((word, "autre"),))
    pdf = render(document(Paragraph(word), table, title=word[:3000]))
    printed = bare("".join(pages(pdf)))
    # headers and footers stand between the pages: letters are counted, title and table included
    assert sum(map(printed.count, set(word))) >= 2 * len(word) + 3000
    assert outside(pdf) == 0


@pytest.mark.parametrize("rows", [1, 7, 8])
@pytest.mark.parametrize("length", [100, 400, 900, 3000])
def test_long_texts_break_between_pages(rows: int, length: int) -> None:
    """However long the names of a plan are, no line falls off the foot of a page."""
    text = ("mot " * length)[:length]
    columns = (Column("Étroite", 1), Column("Large", 4), Column("x", 1))
    blocks: tuple[Block, ...] = (
        KeyFigures(
            (Figure(text, text, Tone.KEPT, text), Figure("1", "x"), Figure("2", "y"), Figure("3", "z"))
        ),
        Callout(Tone.NOTE, text, text),
        Items((text,) * 3),
        Table(text, columns, ((text, text, "x"),) * rows),
        Paragraph(text),
    )
    assert outside(render(document(*blocks, title=text))) == 0


def test_a_long_table_repeats_its_header_and_loses_no_row() -> None:
    """A table over several pages says what its columns are on each of them."""
    rows = tuple((f"ligne-{n}.", "x " * 30) for n in range(150))
    found = pages(render(document(Table("Longue", (Column("Premier titre"), Column("Second", 3)), rows))))
    assert len(found) > 3
    assert all("Premier titre" in page for page in found)
    assert [n for n in range(150) if f"ligne-{n}." not in "".join(found)] == []


def test_pages_are_numbered() -> None:
    """Each page says its number and how many there are."""
    found = pages(render(full()))
    assert all(f"{n} / {len(found)}" in page for n, page in enumerate(found, start=1))


def test_meaning_is_never_a_colour_alone() -> None:
    """Every verdict has a sign and a word: a black and white print says the same."""
    cells = tuple((Mark(tone, f"mot-{tone}"),) for tone in Tone)
    text = bare(pages(render(document(Table("T", (Column("C"),), cells))))[0])
    signs = {Tone.OK: "✓", Tone.KEPT: "✓", Tone.BROKEN: "✗", Tone.UNKNOWN: "?", Tone.NOTE: "•"}
    assert [tone for tone in Tone if f"{signs[tone]}mot-{tone}" not in text] == []


def test_the_same_document_gives_the_same_bytes() -> None:
    """A report can be made again and compared."""
    assert render(green()) == render(green())


def test_an_empty_document_is_a_document() -> None:
    """No section, no metadata, no name: still a page."""
    assert len(pages(render(Document("T", "", "", AT, (), ())))) == 1


def test_a_warning_of_the_compiler_is_an_error() -> None:
    """A font that is missing, a layout that does not settle: never a PDF that looks almost right."""
    with pytest.raises(ReleveError) as caught:
        _compile(b'#set document(title: "t", date: datetime(year: 1, month: 1, day: 1))\n'
                 b'#set text(font: "Absente")\n= T', {}, AT)  # fmt: skip
    assert caught.value.code == "render-warning"


def test_a_document_that_cannot_be_drawn_is_an_error() -> None:
    """What the compiler refuses is said with its own words."""
    with pytest.raises(ReleveError) as caught:
        _compile(b"#let x =", {}, AT)
    assert caught.value.code == "render-failed"


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    """The PDF replaces the old one at once, is read by its owner only, and leaves nothing beside it."""
    target = tmp_path / "rapport.pdf"
    target.write_text("ancien")
    to_pdf(green(), target)
    assert target.read_bytes() == render(green())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("path", ["absent/rapport.pdf", "fichier/rapport.pdf", "dossier", "nul\x00.pdf"])
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, path: str) -> None:
    """A place where nothing can be written is the user's to mend, and nothing is left half done."""
    (tmp_path / "fichier").write_text("x")
    (tmp_path / "dossier").mkdir()
    with pytest.raises(BadInput) as caught:
        to_pdf(green(), tmp_path / path)
    assert caught.value.code == "output-unwritable"
    assert caught.value.hint
    assert sorted(item.name for item in tmp_path.iterdir()) == ["dossier", "fichier"]


FULL = """
import json, pathlib, sys
from releve.adapters.render.pdf import _write
from releve.domain.errors import ReleveError
path = pathlib.Path(sys.argv[1])
path.write_bytes(b"ancien")
try:
    _write(path, b"x" * 2_000_000)
except ReleveError as error:
    print(json.dumps([error.code, error.exit_code, [item.name for item in path.parent.iterdir()]]))
"""


@pytest.mark.needs("mount-namespace")
def test_a_full_disk_is_said_as_such_and_keeps_the_old_file(tmp_path: Path) -> None:
    """On a real file system of 256 kB: exit 6 in French, the old document whole, nothing half written."""
    command = 'mount -t tmpfs -o size=256k tmpfs "$1" && exec "$2" -c "$3" "$1/rapport.pdf"'
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c", command, "sh"]
    done = subprocess.run([*unshare, str(tmp_path), sys.executable, FULL], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == ["disk-full", 6, ["rapport.pdf"]]
