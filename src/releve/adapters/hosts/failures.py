"""From what failed on a machine to the error that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from releve.adapters.hosts.agent import Failed
from releve.domain.errors import BadInput, ReleveError, Unreachable
from releve.domain.terminal import printable


@dataclass(frozen=True, slots=True)
class _Saying:
    kind: type[ReleveError]
    sentence: str
    hint: str = ""
    retryable: bool = False


_SAYINGS: Mapping[str, _Saying] = {
    "host-timeout": _Saying(
        Unreachable,
        "{program} n'a pas fini en {seconds} s sur {host} ; il a été arrêté",
        "regardez la charge de la machine et ses disques, puis recommencez",
        retryable=True,
    ),
    "host-gone": _Saying(
        Unreachable,
        "la machine {host} n'est plus là : {root} n'existe pas",
        "remettez la machine ou son disque en place, ou corrigez « root » dans le plan",
    ),
    "program-missing": _Saying(
        Unreachable,
        "le programme {program} n'existe pas sur {host}",
        "installez-le sur cette machine, ou corrigez son chemin dans le plan",
    ),
    "program-denied": _Saying(
        Unreachable,
        "le programme {program} ne peut pas être exécuté sur {host}",
        "vérifiez ses droits et ceux de ses dossiers pour le compte utilisé",
    ),
    "program-failed": _Saying(
        Unreachable, "le programme {program} n'a pas pu être lancé sur {host} : {reason}", retryable=True
    ),
    "argument-invalid": _Saying(BadInput, "argument impossible sur {host} : {reason}"),
    "user-unknown": _Saying(
        BadInput,
        "le compte {user} n'existe pas sur {host}",
        "créez-le, ou corrigez « os_user » dans le plan",
    ),
    "user-refused": _Saying(
        BadInput,
        "le compte {me} n'a pas le droit d'agir comme {user} sur {host}",
        "lancez Relève en root ou sous le compte {user}, ou changez « os_user » ou le compte SSH dans le plan",
    ),
    "disk-full": _Saying(
        Unreachable,
        "plus de place sur {host} pour écrire {path} ; l'ancien contenu est intact",
        "libérez de la place sur ce disque, puis recommencez",
        retryable=True,
    ),
    "file-denied": _Saying(
        Unreachable,
        "accès refusé à {path} sur {host} : {reason}",
        "vérifiez les droits de ce fichier et de ses dossiers",
    ),
    "folder-missing": _Saying(
        Unreachable,
        "le dossier de {path} n'existe pas sur {host}",
        "créez ce dossier, ou corrigez le chemin dans le plan",
    ),
    "file-failed": _Saying(Unreachable, "{path} n'a pas pu être lu ou écrit sur {host} : {reason}"),
    "agent-fault": _Saying(ReleveError, "défaut de l'agent de Relève sur {host} : {reason}"),
}


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _told(value: str) -> str:
    """On one line, and nothing for a terminal to obey: another machine may have said it."""
    return " ".join(map(printable, value.splitlines()))


def error_of(host: str, failed: Failed) -> ReleveError:
    """The domain error of a failure on `host` (a host id)."""
    saying = _SAYINGS.get(failed.code, _SAYINGS["agent-fault"])
    facts = _Blank({name: _told(value) for name, value in failed.detail.items()}, host=host)
    return saying.kind(
        failed.code,
        saying.sentence.format_map(facts),
        hint=saying.hint.format_map(facts),
        context={name: value for name, value in facts.items() if value},
        retryable=saying.retryable,
    )
