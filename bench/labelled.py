"""A labelled set of documents, wholly made up and drawn from a seed: what each one holds is known, hard cases included.

About one planted value in eight is written in a way that a person reads and a key cannot (a NIR without its key,
a number cut by a slash, an address with "arobase"): they are labels too, and count as missed. A third of the
documents hold only what looks like it (company numbers, invoices, bar codes, amounts, keys that are wrong, words
of care used for something else): a hit there is false. `rates` judges any detector against the labels.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

CATEGORIES = ("nir", "ins", "iban", "finess", "rpps", "phone", "email", "health")
HARD = 0.12  # share of planted values written in a way that keys cannot follow
_DEPARTMENTS = [*(f"{n:02d}" for n in range(1, 96) if n != 20), "2A", "2B", "97", "99"]
PLAIN = (
    "La réunion d'équipe est avancée à jeudi, salle du premier étage.",
    "Le budget de la rénovation de la cuisine est soumis au conseil d'administration.",
    "Merci de déposer les clés du minibus à l'accueil avant 18 h.",
    "Le planning des congés d'été doit être rendu pour la fin du mois.",
    "Les menus de la semaine sont affichés dans le hall.",
    "L'atelier jardin reprendra dès que le temps le permettra.",
    "Compte rendu de la visite de sécurité : deux extincteurs à remplacer.",
    "Le fournisseur de linge passera désormais le mardi matin.",
)
_CARE = (
    "Poursuite du traitement, ordonnance renouvelée pour trois mois, glycémie à surveiller.",
    "Antécédents : hypertension, fracture du col en 2019, allergie à la pénicilline.",
    "Le médecin note une dépression légère ; prochain rendez-vous en psychiatrie.",
    "Patient diabétique, insuline matin et soir, pansement d'escarre refait ce jour.",
    "Hospitalisation du 3 au 9 pour pneumonie, antibiotique terminé.",
    "Bilan : démence débutante, évaluation GIR 3, kinésithérapie deux fois par semaine.",
)
_CARE_OTHERWISE = (
    "Elle a beaucoup vomi cette nuit, la tension est basse, on a appelé le 15.",
    "Il marche avec ses béquilles depuis la chute et prend ses cachets du soir.",
)
_NOT_CARE = (
    "L'ordonnance du tribunal fixe l'audience au mois de mars.",
    "Un diagnostic du réseau électrique est prévu avant travaux.",
    "Une dépression venue de l'Atlantique apportera de la pluie.",
    "La prescription de cette créance est de cinq ans.",
)


@dataclass(frozen=True, slots=True)
class Document:
    """A file and what a person would find in it. `truth`: values by category; health counts as 0 or 1."""

    name: str
    data: bytes
    truth: Mapping[str, int]


def documents(number: int, *, seed: int = 1, papers: bool = False) -> list[Document]:
    """So many documents. `papers`: one in two hundred is a PDF (0.1 s each to make)."""
    draw = random.Random(seed)
    return [_document(draw, place, paper=papers and place % 200 == 0) for place in range(number)]


def rates(pairs: Sequence[tuple[Mapping[str, int], Mapping[str, int]]]) -> dict[str, dict[str, float | int]]:
    """Precision and recall of (truth, found) pairs, by category: over values (health: over documents)."""
    right, planted, told = Counter[str](), Counter[str](), Counter[str]()
    for truth, found in pairs:
        for category in CATEGORIES:
            true, seen = truth.get(category, 0), found.get(category, 0)
            if category == "health":
                true, seen = min(true, 1), min(seen, 1)
            right[category] += min(true, seen)
            planted[category] += true
            told[category] += seen
    return {
        name: {
            "planted": planted[name],
            "found": told[name],
            "precision": round(right[name] / told[name], 4) if told[name] else 0.0,
            "recall": round(right[name] / planted[name], 4) if planted[name] else 0.0,
        }
        for name in CATEGORIES
    }


def _document(draw: random.Random, place: int, *, paper: bool) -> Document:
    truth: Counter[str] = Counter()
    lines = draw.choices(PLAIN, k=draw.randint(2, 8))
    if draw.random() < 1 / 3:
        lines += [draw.choice(_DECOYS)(draw) for _ in range(draw.randint(2, 6))]
        lines.append(draw.choice(_NOT_CARE))
    else:
        for category in draw.sample(CATEGORIES, draw.randint(1, 3)):
            for _ in range(1 if category == "health" else draw.randint(1, 4)):
                line, real = _PLANTERS[category](draw)
                lines += line
                truth[real] += 1
        if draw.random() < 0.5:
            lines.append(draw.choice(_DECOYS)(draw))
    draw.shuffle(lines)
    suffix, make = draw.choice(_FORMATS)
    if paper:
        suffix, make = "pdf", pdf
    name = f"{place:05d}.{draw.choice(('jpg', 'tmp', 'dat')) if draw.random() < 0.05 else suffix}"  # some lie
    return Document(name, make(draw, lines), truth)


# -- what is planted -----------------------------------------------------------------------------


def nir(draw: random.Random, sexes: str = "12") -> tuple[str, str]:
    """Thirteen signs and their key."""
    department = draw.choice(_DEPARTMENTS)
    first = f"{draw.choice(sexes)}{draw.randrange(100):02d}{draw.randint(1, 12):02d}{department}"
    first += f"{draw.randint(1, 989):03d}{draw.randint(1, 999):03d}"
    number = int(
        first.replace("2A", "19", 1)
        if department == "2A"
        else first.replace("2B", "18", 1)
        if department == "2B"
        else first
    )
    return first, f"{97 - number % 97:02d}"


def _grouped(first: str, key: str, sign: str) -> str:
    return sign.join((first[0], first[1:3], first[3:5], first[5:7], first[7:10], first[10:13], key))


def _nir(draw: random.Random) -> tuple[list[str], str]:
    first, key = nir(draw)
    if draw.random() < HARD:
        written = draw.choice((first, _grouped(first, "", " ").strip(), f"{first} / clé {key}"))
    else:
        sign = draw.choice(("", " ", " ", "\u00a0", "\u202f", ".", "-"))
        written = draw.choice((_grouped(first, key, sign), first + key, f"{first} {key}"))
    return [f"Numéro de sécurité sociale : {written}"], "nir"


def _ins(draw: random.Random) -> tuple[list[str], str]:
    first, key = nir(draw, "1278")
    oid = f"1.2.250.1.213.1.4.{draw.choice((8, 8, 8, 9, 10))}"
    if draw.random() < HARD:
        return [f"Matricule INS {first} ({oid})"], "ins"
    return [
        draw.choice(
            (
                f"Matricule INS : {_grouped(first, key, ' ')} (OID {oid})",
                f"PID|1||{first}{key}^^^ASIP-SANTE-INS-NIR&{oid}&ISO^INS",
                f'<id extension="{first}{key}" root="{oid}"/>',
            )
        )
    ], "ins"


def _iban(draw: random.Random) -> tuple[list[str], str]:
    country, width = draw.choice((("FR", 23), ("FR", 23), ("FR", 23), ("DE", 18), ("BE", 12)))
    account = "".join(draw.choice("0123456789") for _ in range(width))
    if country == "FR" and draw.random() < 0.3:
        account = account[:12] + draw.choice("ABCDEFGHJK") + account[13:]
    number = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00"))
    whole = f"{country}{98 - number % 97:02d}{account}"
    if draw.random() < HARD:
        written = draw.choice((whole[4:], f"{whole[:2]} / {whole[2:]}"))
    else:
        written = draw.choice((whole, " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))))
    return [f"Virement à faire sur le compte {written} avant le 5"], "iban"


def _luhn(digits: str) -> str:
    total = sum(
        int("0246813579"[int(sign)]) if place % 2 == 0 else int(sign)
        for place, sign in enumerate(digits[::-1])
    )
    return f"{digits}{-total % 10}"


def _finess(draw: random.Random) -> tuple[list[str], str]:
    number = _luhn(f"{draw.randint(1, 95):02d}0{draw.randrange(100000):05d}")
    if draw.random() < 0.1:
        number = f"2{draw.choice('AB')}{draw.randrange(10**7):07d}"
    if draw.random() < HARD:
        return [f"Établissement n° {number}"], "finess"
    written = draw.choice((number, f"{number[:2]} {number[2:5]} {number[5:8]} {number[8]}"))
    return [
        draw.choice(
            (f"N° FINESS : {written}", f"Finess géographique {written}", f"FINESS ET;{written};actif")
        )
    ], "finess"


def _rpps(draw: random.Random) -> tuple[list[str], str]:
    number = _luhn(f"10{draw.randrange(10**8):08d}")
    if draw.random() < HARD:
        return [f"Identifiant du prescripteur {number}"], "rpps"
    return [draw.choice((f"RPPS {number}", f"N° RPPS : {number}", f"rpps={number}"))], "rpps"


def _phone(draw: random.Random) -> tuple[list[str], str]:
    pairs = [f"0{draw.randint(1, 9)}", *(f"{draw.randrange(100):02d}" for _ in range(4))]
    if draw.random() < HARD:
        written = draw.choice(
            ("/".join(pairs), f"{pairs[0]} {pairs[1]}{pairs[2][0]} {pairs[2][1]}{pairs[3]} {pairs[4]}")
        )
    else:
        rest = pairs[0][1] + " " + " ".join(pairs[1:])
        ways = (
            *(sign.join(pairs) for sign in (" ", " ", ".", "-", "", "\u00a0")),
            f"+33 {rest}",
            f"+33 (0){rest}",
        )
        written = draw.choice((*ways, f"0033{rest.replace(' ', '')}"))
    return [
        draw.choice((f"Joindre la famille au {written} le soir", f"Tél. {written}", f"portable:{written};"))
    ], "phone"


def _email(draw: random.Random) -> tuple[list[str], str]:
    name = f"{draw.choice(('camille', 'sacha', 'noa', 'lou'))}.{draw.choice(('exemple', 'modele', 'fictif'))}{draw.randrange(99)}"
    domain = draw.choice(("exemple.fr", "asso-exemple.org", "courriel.exemple.com"))
    sign = draw.choice((" [arobase] ", " (at) ")) if draw.random() < HARD else "@"
    return [draw.choice((f"Écrire à {name}{sign}{domain}.", f"<{name}{sign}{domain}>"))], "email"


def _health(draw: random.Random) -> tuple[list[str], str]:
    if draw.random() < HARD:
        return [draw.choice(_CARE_OTHERWISE)], "health"
    return draw.sample(_CARE, draw.randint(1, 3)), "health"


_PLANTERS: Mapping[str, Callable[[random.Random], tuple[list[str], str]]] = {
    "nir": _nir,
    "ins": _ins,
    "iban": _iban,
    "finess": _finess,
    "rpps": _rpps,
    "phone": _phone,
    "email": _email,
    "health": _health,
}


# -- what only looks like it ---------------------------------------------------------------------


def _siren(draw: random.Random) -> str:
    number = _luhn(f"{draw.randint(300, 899)}{draw.randrange(100000):05d}")
    return draw.choice(
        (f"SIREN {number}, FINESS : sans objet", f"SIRET {number} {draw.randrange(10**5):05d}")
    )


def _wrong_key(draw: random.Random) -> str:
    first, key = nir(draw)
    return f"Ancien dossier {_grouped(first, f'{(int(key) + draw.randint(1, 95)) % 97 + 1:02d}', ' ')}"


def _invoice(draw: random.Random) -> str:
    return draw.choice(
        (
            f"Facture n° {draw.randrange(10**10):010d} du 12/03/2026",
            f"Commande 2026-{draw.randrange(10**6):06d}, montant {draw.randint(1, 9)} {draw.randrange(1000):03d} {draw.randrange(1000):03d},00 €",
            f"Code-barres {draw.randrange(10**13):013d}",
            f"Compteur {draw.randrange(10**9):09d} relevé à {draw.randrange(10**6):06d}",
            f"Contrat FR{draw.randrange(10**2):02d} {draw.randrange(10**4):04d} {draw.randrange(10**4):04d}",
        )
    )


def _technical(draw: random.Random) -> str:
    return draw.choice(
        (
            f"Adresse 192.168.{draw.randrange(256)}.{draw.randrange(256)}, version 10.0.19045.{draw.randrange(10**4)}",
            "Image logo@2x.png, compte @association sur le réseau social",
            f"Horodatage {draw.randint(1_600_000_000, 1_790_000_000)}",
            f"Série {draw.randrange(10**11):011d}, RPPS : non concerné",
            f"Longueurs 12 {draw.randrange(100):02d} 47 {draw.randrange(100):02d} 30 {draw.randrange(100):02d} mm",
        )
    )


_DECOYS: Sequence[Callable[[random.Random], str]] = (_siren, _wrong_key, _invoice, _technical)


# -- files ---------------------------------------------------------------------------------------


def _zipped(parts: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def docx(draw: random.Random, lines: Sequence[str]) -> bytes:
    """Word's way: a paragraph a line, cut into runs anywhere."""
    paragraphs = []
    for line in lines:
        cut = draw.randrange(len(line) + 1)
        runs = "".join(
            f'<w:r><w:t xml:space="preserve">{escape(part)}</w:t></w:r>' for part in (line[:cut], line[cut:])
        )
        paragraphs.append(f"<w:p>{runs}</w:p>")
    body = f'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{"".join(paragraphs)}</w:body></w:document>'
    return _zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": body})


def xlsx(draw: random.Random, lines: Sequence[str]) -> bytes:
    """Excel's way: shared strings."""
    del draw
    strings = "".join(f"<si><t>{escape(line)}</t></si>" for line in lines)
    sheet = "".join(f'<row><c t="s"><v>{place}</v></c></row>' for place in range(len(lines)))
    return _zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
            "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{sheet}</sheetData></worksheet>",
        }
    )


def odt(draw: random.Random, lines: Sequence[str]) -> bytes:
    """OpenDocument's way."""
    del draw
    space = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    body = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
    return _zipped(
        {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": f"<body {space}>{body}</body>"}
    )


def pdf(draw: random.Random, lines: Sequence[str]) -> bytes:
    """A page as wide as its longest line."""
    import typst

    del draw
    page = '#set page(width: auto, height: auto)\n#for line in sys.inputs.lines.split("\\n") [#line \\ ]'
    return bytes(typst.compile(page.encode(), sys_inputs={"lines": "\n".join(lines)}))


def _written(encoding: str) -> Callable[[random.Random, Sequence[str]], bytes]:
    narrow = {"\u202f": "\u00a0"} if encoding == "cp1252" else {}  # that code page has one hard space
    return lambda _, lines: "\r\n".join(lines).translate(str.maketrans(narrow)).encode(encoding, "replace")


_FORMATS: Sequence[tuple[str, Callable[[random.Random, Sequence[str]], bytes]]] = (
    ("txt", _written("utf-8")),
    ("txt", _written("cp1252")),
    ("csv", _written("utf-16")),
    ("docx", docx),
    ("xlsx", xlsx),
    ("odt", odt),
)
