"""COP: does a copy exist, where, how old, out of reach or not, and was it ever brought back.

A look brings one `Copy` for each copy that should be, one that could not be looked at included (`found` None, and
a gap that names it). "Copy" counts what was found and what could not be looked at; what was announced and is not
there does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import Held, day, held, needed_rpo, today, whole
from releve.domain.audit import RESTORED, Topic
from releve.domain.seen import Copy, Restored
from releve.domain.units import say_count, say_promise, say_seconds

MARGIN = timedelta(minutes=5)  # value of ours: between the copy and our look at it
DAILY = timedelta(hours=48)  # value of ours: nobody said how old it may be; one night missed is seen
YEARLY = timedelta(days=366)  # ANSSI, hygiène 37 renforcée: one restoration a year
TOLD = "copy-declared"  # code of the gap of a copy that is nowhere to be looked at
RESTORED_FR = {"switch": "bascule", "return": "retour", "trial": "essai à part"}
HOW_FR = {
    "hot": "suivie en direct",
    "vault": "coffre",
    "folder": "dossier",
    "declared": "sur parole",
}


def copies_of(estate: Estate, subject: str) -> list[Copy]:
    """The copies that count."""
    return [fact for fact in estate.all(Copy) if fact.subject == subject and fact.found is not False]


def copied(estate: Estate, subject: str) -> bool:
    """Whether at least one copy counts."""
    return bool(copies_of(estate, subject))


def _looked(estate: Estate) -> Iterator[tuple[Held, list[Copy]]]:
    """What has copies, with them, where they were looked at."""
    for item in held(estate):
        found = copies_of(estate, item.id)
        if estate.looked(Topic.COPIES, item.id) and found:
            yield item, found


def _at(estate: Estate, item: Held, sentence: str) -> Weakness:
    look = estate.look(Topic.COPIES, item.id)
    return Weakness(item.id, f"{item.name} : {sentence}", item.site, seen=look.at if look else None)


def _none(estate: Estate) -> Iterator[Weakness]:
    for item in held(estate):
        if estate.looked(Topic.COPIES, item.id) and not copied(estate, item.id):
            lost = sum(1 for fact in estate.all(Copy) if fact.subject == item.id)
            more = (
                f" ({say_count(lost, 'copie annoncée et introuvable', 'copies annoncées et introuvables')})"
            )
            # Where nothing was announced, nothing was looked for: that is all that is known.
            said = f"aucune copie n'existe{more}" if lost else "le plan ne déclare aucune copie"
            yield _at(estate, item, said)


def _same_site(estate: Estate) -> Iterator[Weakness]:
    for item, found in _looked(estate):
        if all(fact.site == item.site for fact in found):
            yield _at(
                estate,
                item,
                f"{say_count(len(found), 'copie')}, sur le même site que les données ({estate.name_of(item.site)})"
                + _said_elsewhere(estate, item),
            )


def _said_elsewhere(estate: Estate, item: Held) -> str:
    """What the plan's lines say of their sites, where their machines are at another; empty when they agree."""
    said = [
        f"le plan dit {estate.name_of(copy.site)} d'une copie qui est sur {copy.host}"
        for copy in item.copies
        if copy.host and estate.site_of(copy.host) not in {"", copy.site}
    ]
    return "".join(f" ; {one}" for one in dict.fromkeys(said))


def on_word(estate: Estate, subject: str) -> bool:
    """Whether nobody saw any copy that counts, one at least being only told, and none was restored for a year."""
    found = copies_of(estate, subject)
    told = any(fact.how == "declared" for fact in found) and all(fact.found is None for fact in found)
    last = _restored(estate, subject)
    return told and (last is None or today(estate) - last[0] > YEARLY)


def _on_word(estate: Estate) -> Iterator[Weakness]:
    for item, found in _looked(estate):
        if on_word(estate, item.id):
            where = ", ".join(
                dict.fromkeys(estate.name_of(fact.site) for fact in found if fact.how == "declared")
            )
            yield _at(
                estate,
                item,
                f"{say_count(len(found), 'copie')}, que personne n'a vue : le plan la dit à {where}, sans dire la machine et le dossier"
                if len(found) == 1
                else f"{say_count(len(found), 'copie')}, dont aucune n'a été vue : le plan en dit à {where}, sans dire la machine et le dossier",
            )


def only_followed(found: list[Copy]) -> bool:
    """Whether every copy follows the data as they change: an error or an encryption reaches it too."""
    return all(fact.how == "hot" for fact in found)


def _only_replica(estate: Estate) -> Iterator[Weakness]:
    for item, found in _looked(estate):
        if only_followed(found):
            yield _at(
                estate,
                item,
                "la seule copie suit les données : elle recopie aussi une erreur ou un chiffrement",
            )


def _no_offline(estate: Estate) -> Iterator[Weakness]:
    for item, found in _looked(estate):
        # A copy that only follows is named for that; those of one site can still lack one out of reach.
        # Whether a vault can be erased is asked of people (QUE-29): no machine knows.
        vault = any(fact.how == "vault" for fact in found)
        if not vault and not only_followed(found) and not any(fact.offline for fact in found):
            yield _at(
                estate,
                item,
                f"aucune copie hors ligne ou ineffaçable ({say_count(len(found), 'copie')} en tout)",
            )


def _old(estate: Estate) -> Iterator[Weakness]:
    for item, found in _looked(estate):
        dated = [fact.at for fact in found if fact.at is not None]
        if not dated:
            continue  # COP-08, or the gap that says why
        age = estate.seen_at(found[0]) - max(dated)
        other = say_count(len(found) - len(dated), "autre copie n'a pas", "autres copies n'ont pas")
        among = " de celles qui ont une date" if len(dated) < len(found) else ""
        undated = f" ; {other} de date" if len(dated) < len(found) else ""
        rpo = needed_rpo(estate, item.id)
        if age > (DAILY if rpo is None else rpo + MARGIN):
            said = (
                "et une copie par jour est le moins"
                if rpo is None
                else f"et on ne peut perdre que {say_seconds(rpo.total_seconds())}"
                if rpo
                else "et rien ne doit être perdu"
            )
            yield _at(
                estate,
                item,
                f"la copie la plus récente{among} a {say_promise(age.total_seconds())}, {said}{undated}",
            )


def _undated(estate: Estate) -> Iterator[Weakness]:
    for item, found in _looked(estate):
        # Where a gap says why it has no date, that is said once.
        if all(fact.at is None for fact in found) and whole(estate, Topic.COPIES, item.id):
            yield _at(estate, item, "personne ne peut dire de quand date la copie")


def _missing(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Copy):
        if fact.found is False and copied(estate, fact.subject):
            where = f" sous {fact.place}" if fact.place else ""
            yield Weakness(
                f"{fact.subject}:{fact.how}@{fact.site}" + (f":{fact.place}" if fact.place else ""),
                f"{estate.name_of(fact.subject)} : copie annoncée ({HOW_FR.get(fact.how, fact.how)}) à"
                f" {estate.name_of(fact.site)}{where}, introuvable",
                fact.site,
                seen=estate.seen_at(fact),
            )


def _restored(estate: Estate, subject: str) -> tuple[date, str] | None:
    """The last time that data were brought back, and how: as seen, or as somebody says.

    None: never, or a later try failed; of one day, the failure stands.
    """
    seen = [
        (fact.at.date(), RESTORED_FR.get(fact.how, fact.how))
        for fact in estate.all(Restored)
        if fact.subject == subject
    ]
    said = estate.answers.get((RESTORED, subject))
    if said is not None and said.good:
        seen.append((said.on, f"à la main, dit {said.by}"))
    last = max(seen, default=None)
    failed = said is not None and not said.good and (last is None or said.on >= last[0])
    return None if failed else last


def _never(estate: Estate) -> Iterator[Weakness]:
    for item, _found in _looked(estate):
        if _restored(estate, item.id) is None:
            said = estate.answers.get((RESTORED, item.id))
            failed = f"le dernier essai de restauration, le {day(said.on)}, a échoué" if said else ""
            yield _at(estate, item, failed or "aucune restauration n'est connue de Relève")


def _long_ago(estate: Estate) -> Iterator[Weakness]:
    for item, _found in _looked(estate):
        last = _restored(estate, item.id)
        if last is not None and today(estate) - last[0] > YEARLY:
            yield _at(estate, item, f"la dernière restauration date du {day(last[0])} ({last[1]})")


_COPIES = (Topic.COPIES,)
RULES = (
    Rule(
        "COP-01",
        Severity.CRITICAL,
        "des données n'ont aucune copie",
        "un disque qui lâche, une erreur, un rançongiciel, et elles sont perdues pour de bon",
        (src.RGPD_32_C, src.CNIL_17, src.HYGIENE_37),
        "faites une copie aujourd'hui sur l'autre site, puis mettez ces données au plan",
        _none,
        _COPIES,
    ),
    Rule(
        "COP-02",
        Severity.CRITICAL,
        "les copies sont sur le même site que les données",
        "un incendie, une inondation ou un vol emportent les données et leurs copies ensemble",
        (src.PGSSI_COPY, src.CASES_ROOM, src.CARE_BACKUP),
        "mettez une copie sur l'autre site, chiffrée",
        _same_site,
        _COPIES,
    ),
    Rule(
        "COP-03",
        Severity.MAJOR,
        "aucune copie n'est hors de portée",
        "un rançongiciel cherche d'abord les sauvegardes : ce qu'il peut joindre, il le chiffre",
        (src.HYGIENE_37, src.CARE_BACKUP, src.MONAIDECYBER, src.RECYF_TESTED),
        "gardez une copie débranchée, ou un coffre où l'on ajoute sans pouvoir effacer",
        _no_offline,
        _COPIES,
    ),
    Rule(
        "COP-04",
        Severity.MAJOR,
        "la copie est plus vieille que ce qu'on peut perdre",
        "restaurer aujourd'hui perdrait plus que ce que les équipes ont dit supporter",
        (src.RGPD_32_C, src.MSS_CONTINU, src.CNIL_17),
        "regardez pourquoi la dernière copie n'a pas eu lieu ; rapprochez-les, ou revoyez le besoin",
        _old,
        _COPIES,
    ),
    Rule(
        "COP-05",
        Severity.MAJOR,
        "aucune restauration réussie n'est connue pour des données",
        "une copie que personne n'a relue n'est qu'un espoir",
        (src.RGPD_32_D, src.HYGIENE_37R, src.PGSSI_RESTORE, src.CARE_RESTORE),
        "restaurez-en une cette semaine, à côté, notez la durée, et dites-le (« releve audit restored »)",
        _never,
        _COPIES,
    ),
    Rule(
        "COP-06",
        Severity.MINOR,
        "la dernière restauration a plus d'un an",
        "depuis, les versions, les mots de passe et les personnes ont changé",
        (src.HYGIENE_37R, src.RGPD_32_D, src.RECYF_TESTED),
        "refaites une restauration à côté, avec la personne qui la ferait le jour venu",
        _long_ago,
        _COPIES,
    ),
    Rule(
        "COP-07",
        Severity.MAJOR,
        "une copie annoncée est introuvable",
        "on comptait dessus",
        (src.CNIL_17, src.RGPD_32_C),
        "cherchez depuis quand elle manque ; refaites-la, ou corrigez le plan",
        _missing,
        _COPIES,
    ),
    Rule(
        "COP-08",
        Severity.MINOR,
        "une copie n'a pas de date",
        "on ne peut pas dire ce qu'elle ferait perdre",
        (src.PGSSI_RESTORE, src.CNIL_17),
        "datez le dossier ou le fichier de la copie au moment où elle est faite",
        _undated,
        _COPIES,
    ),
    Rule(
        "COP-09",
        Severity.CRITICAL,
        "la seule copie suit les données en direct",
        "ce n'est pas une sauvegarde : l'erreur et le chiffrement y arrivent à la même seconde",
        (src.CARE_BACKUP, src.RECYF_TESTED, src.CNIL_17),
        "ajoutez un coffre (« vault ») : il garde les états d'avant",
        _only_replica,
        _COPIES,
    ),
    Rule(
        "COP-10",
        Severity.MAJOR,
        "la seule copie n'a été vue par personne",
        "elle n'existe que sur parole : le jour venu, le disque est vide, perdu, ou de l'an dernier",
        (src.RGPD_32_C, src.CNIL_17, src.PGSSI_RESTORE),
        "allez la voir et restaurez-en un morceau, dites-le (« releve audit restored »), ou notez sa machine et son dossier",
        _on_word,
        _COPIES,
    ),
)
