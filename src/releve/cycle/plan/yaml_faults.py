"""What the YAML parser says, in the words of the person who wrote the file. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from releve.domain.errors import Fault


@dataclass(frozen=True, slots=True)
class _Known:
    """`part` of the parser's own sentence -> what we say."""

    part: str
    code: str
    sentence: str
    hint: str


_QUOTES = 'mettez le texte entre guillemets : "…"'
_INDENT = "alignez les lignes avec des espaces, deux par niveau"

_KNOWN = (
    _Known(
        "'\\t' that cannot start",
        "yaml-tab",
        "une tabulation sert d'indentation, YAML n'accepte que des espaces",
        "remplacez chaque tabulation par deux espaces",
    ),
    _Known(
        "mapping values are not allowed here",
        "yaml-broken",
        "ce « : » n'est pas attendu ici",
        f"vérifiez l'indentation ; si « : » fait partie d'un texte, {_QUOTES}",
    ),
    _Known(
        "could not find expected ':'",
        "yaml-broken",
        "il manque « : » après cette clé",
        "une ligne s'écrit « clé: valeur », avec une espace après le deux-points",
    ),
    _Known(
        "sequence entries are not allowed here",
        "yaml-broken",
        "ce tiret « - » n'est pas attendu ici",
        _INDENT,
    ),
    _Known(
        "expected <block end>",
        "yaml-broken",
        "cette ligne n'est pas alignée avec celles du même niveau",
        f"{_INDENT} ; plus haut, un guillemet est peut-être resté ouvert",
    ),
    _Known(
        "expected ',' or ']'",
        "yaml-broken",
        "une liste entre crochets n'est pas fermée ou il y manque une virgule",
        "écrivez [a, b, c]",
    ),
    _Known(
        "expected ',' or '}'",
        "yaml-broken",
        "une accolade n'est pas fermée ou il y manque une virgule",
        "écrivez {clé: valeur, autre: valeur}",
    ),
    _Known(
        "while scanning a quoted scalar",
        "yaml-broken",
        "un guillemet ouvert n'est jamais fermé",
        "ajoutez le guillemet fermant",
    ),
    _Known(
        "while scanning a double-quoted scalar",
        "yaml-broken",
        "suite « \\ » inconnue dans un texte entre guillemets",
        "doublez la barre oblique (« \\\\ ») ou employez des apostrophes : '…'",
    ),
    _Known(
        "that cannot start any token",
        "yaml-broken",
        "un texte ne peut pas commencer par ce caractère",
        _QUOTES,
    ),
    _Known(
        "expected the node content",
        "yaml-broken",
        "une valeur est attendue ici",
        "fermez les crochets et les accolades ouverts plus haut",
    ),
    _Known(
        "while scanning a block scalar",
        "yaml-broken",
        "un texte sur plusieurs lignes (« | » ou « > ») est mal commencé",
        "rien ne suit « | » sur sa ligne, et le texte commence à la ligne suivante, en retrait",
    ),
    _Known(
        "undefined tag handle",
        "tag-refused",
        "les étiquettes de type YAML ne sont pas acceptées",
        "supprimez l'étiquette ; si « ! » commence un texte, " + _QUOTES,
    ),
    _Known(
        "expected '<document start>'",
        "yaml-broken",
        "ce texte n'appartient à rien de ce qui précède",
        f"{_INDENT}, et vérifiez les guillemets de la ligne d'avant",
    ),
)
_UNKNOWN = _Known("", "yaml-broken", "le YAML est mal écrit ici", f"{_INDENT} ; au besoin, {_QUOTES}")


def say_yaml_error(error: Exception, name: str, line: int, column: int) -> Fault:
    """The fault of a parser's error; `line` and `column` are the last known place, if it has none."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
    text = f"{getattr(error, 'context', '')} {getattr(error, 'problem', '')}"
    known = next((entry for entry in _KNOWN if entry.part in text), _UNKNOWN)
    return Fault(name, line, column, known.code, known.sentence, known.hint)
