"""DON: what is stored, how it grows, and whether the databases are followed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import counted, day, device_of, held, number, once, percent, today
from releve.cycle.audit.rules.health import LEFT, ROOM
from releve.cycle.audit.support import support_of
from releve.domain.audit import Look, Topic
from releve.domain.plan import ProtectionMode
from releve.domain.seen import Base, Disk, Files
from releve.domain.units import say_bytes, say_count

TWINS = 0.10  # share of the bytes; value of ours: below, sorting costs more than the room it gives
TWINS_BYTES = 10**9  # bytes; value of ours: below, nobody gains anything
UNOPENED = 0.30  # share of the bytes; value of ours
UNOPENED_BYTES = 10 * 10**9
SOON = timedelta(days=180)  # value of ours: the time to order and fit a disk without haste
APART = timedelta(days=1)  # value of ours: growth over less is the day's noise
_SIZED = (Topic.FILES, Topic.BASE)


def _place(estate: Estate, fact: Files) -> str:
    """What a folder is known by: its data set or holding; a machine has several, so its folder too."""
    return f"{fact.subject}:{fact.place}" if device_of(estate, fact.subject) else fact.subject


@once
def _twins(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Files):
        if fact.twin_bytes >= TWINS_BYTES and fact.bytes and fact.twin_bytes / fact.bytes >= TWINS:
            yield Weakness(
                _place(estate, fact),
                f"{estate.name_of(fact.subject)} : {counted(fact.twins, 'fichier')} de même taille qu'un autre,"
                f" {say_bytes(fact.twin_bytes)} peut-être en double ({percent(fact.twin_bytes / fact.bytes)})",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


@once
def _unopened(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Files):
        idle = fact.unopened
        if idle and fact.bytes and idle.bytes >= UNOPENED_BYTES and idle.bytes / fact.bytes >= UNOPENED:
            yield Weakness(
                _place(estate, fact),
                f"{estate.name_of(fact.subject)} :"
                f" {counted(idle.files, 'fichier jamais rouvert', 'fichiers jamais rouverts')}"
                f", {say_bytes(idle.bytes)} ({percent(idle.bytes / fact.bytes)})",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


def _growth(estate: Estate) -> Iterator[Weakness]:
    for item in held(estate):
        look = next((found for topic in _SIZED if (found := estate.look(topic, item.id))), None)
        then = estate.before(look, APART) if look else None
        disk = _disk(estate, item.host, item.place)
        if look is None or then is None or disk is None:
            continue
        now, before = _size(look), _size(then)
        if now is None or before is None:
            continue
        apart, grown = look.at - then.at, now - before
        if grown <= 0 or (disk.free / disk.size < LEFT and disk.free < ROOM):
            continue  # a disk that is full already is named for that
        if disk.free / grown < SOON / apart:
            left = apart * (disk.free / grown)
            yield Weakness(
                item.id,
                f"{item.name} a grossi de {say_bytes(grown)} en {number(apart / timedelta(days=1))} j :"
                f" à ce rythme {disk.mount} est plein dans {say_count(left.days, 'jour')}",
                item.site,
                seen=look.at,
            )


def _nowhere(estate: Estate) -> str:
    """A database that was found and whose folder nobody wrote: on which disk it grows is not known."""
    bare = [item.name for item in held(estate) if not item.place]
    return f"le plan ne dit pas le dossier (« path ») de : {', '.join(bare)}" if bare else ""


def _size(look: Look) -> int | None:
    """Bytes of what was counted to its end; None where nothing was: the others compare with nothing."""
    sizes = [
        fact.bytes
        for fact in look.facts
        if isinstance(fact, Base) or (isinstance(fact, Files) and fact.whole)
    ]
    return sum(sizes) if sizes else None


def _disk(estate: Estate, host: str, place: str) -> Disk | None:
    """The file system that holds a folder: the longest mount point above it."""
    found = [
        disk
        for disk in estate.all(Disk)
        if disk.host == host
        and place
        and (place + "/").startswith(disk.mount.rstrip("/") + "/")
        and disk.size
    ]
    return max(found, key=lambda disk: len(disk.mount), default=None)


def _in_vault(estate: Estate, subject: str) -> bool:
    return any(item.id == subject and item.vault for item in estate.plan.data_sets)


def _servers(estate: Estate) -> Iterator[Base]:
    """One fact a data set or holding: what is said of the server is said by each of its databases."""
    seen = set()
    for fact in estate.all(Base):
        if fact.subject not in seen:
            seen.add(fact.subject)
            yield fact


def _found(estate: Estate, fact: Base, sentence: str) -> Weakness:
    return Weakness(
        fact.subject,
        f"{estate.name_of(fact.subject)} : {sentence}",
        estate.site_of(fact.host),
        seen=estate.seen_at(fact),
    )


def _no_archive(estate: Estate) -> Iterator[Weakness]:
    for fact in _servers(estate):
        if fact.archiving is False and not _in_vault(estate, fact.subject):
            yield _found(
                estate, fact, "le serveur n'archive pas son journal, on ne revient qu'à la dernière copie"
            )


def _no_replica(estate: Estate) -> Iterator[Weakness]:
    promised = {item.id for item in estate.plan.data_sets if item.protection.mode is ProtectionMode.REALTIME}
    for fact in _servers(estate):
        if fact.subject in promised and fact.replicas == 0:
            yield _found(
                estate, fact, "le plan promet une copie en temps réel, et aucun serveur de secours ne suit"
            )


def _archive_fails(estate: Estate) -> Iterator[Weakness]:
    for fact in _servers(estate):
        if fact.archiving and fact.archive_failures:
            last = fact.archived_at
            when = f"le dernier archivé le {day(last)}" if last else "aucun n'a jamais été archivé"
            yield _found(
                estate, fact, f"{say_count(fact.archive_failures, 'échec')} d'archivage du journal, {when}"
            )


def _server_ended(estate: Estate) -> Iterator[Weakness]:
    for fact in _servers(estate):
        support = support_of(fact.engine, fact.version)
        if support is not None and support.until < today(estate):
            yield _found(estate, fact, f"{support.name} n'est plus corrigé depuis le {day(support.until)}")


RULES = (
    Rule(
        "DON-01",
        Severity.MINOR,
        "beaucoup de fichiers semblent en double",
        "chaque double est copié chaque nuit et rallonge la restauration",
        (src.HYGIENE_37, src.OURS),
        "comparez les plus gros ; gardez-en un, et un raccourci ailleurs",
        _twins,
        (Topic.FILES,),
        reads=(Files,),
    ),
    Rule(
        "DON-02",
        Severity.MINOR,
        "beaucoup de données ne sont jamais rouvertes",
        "elles pèsent sur chaque copie ; certaines devraient être archivées ou effacées",
        (src.HYGIENE_37, src.OURS),
        "mettez-les aux archives avec leur durée de conservation, sur un support à part",
        _unopened,
        (Topic.FILES,),
        reads=(Files,),
    ),
    Rule(
        "DON-03",
        Severity.MAJOR,
        "des données auront bientôt rempli leur disque",
        "le disque plein arrête l'application et les copies en même temps",
        (src.OURS, src.RGPD_32_B),
        "agrandissez le disque avant cette date, ou cherchez ce qui grossit",
        _growth,
        (Topic.MACHINE,),
        compares=_SIZED,
        apart=APART,
        unheard=_nowhere,
        reads=(Disk,),
    ),
    Rule(
        "DON-04",
        Severity.MAJOR,
        "une base n'archive pas son journal",
        "une erreur à midi fait perdre toute la matinée : rien ne permet de revenir entre deux copies",
        (src.RGPD_32_C, src.CNIL_17),
        "protégez la base par le coffre de Relève, ou activez l'archivage du journal",
        _no_archive,
        (Topic.BASE,),
        reads=(Base,),
    ),
    Rule(
        "DON-05",
        Severity.CRITICAL,
        "la copie en temps réel promise ne se fait pas",
        "tout le monde croit qu'une bascule ne perd rien ; elle perdrait tout depuis que le secours ne suit plus",
        (src.RGPD_32_C, src.MSS_CONTINU),
        "regardez le serveur de secours et le lien ; « releve status » dit depuis quand",
        _no_replica,
        (Topic.BASE,),
        reads=(Base,),
    ),
    Rule(
        "DON-06",
        Severity.MAJOR,
        "l'archivage d'une base échoue",
        "le journal s'entasse sur le disque, et l'on ne pourra pas revenir à un instant choisi",
        (src.RGPD_32_C, src.CNIL_17, src.CNIL_19),
        "lisez le journal du serveur ; le plus souvent la place d'archive est pleine ou refuse l'écriture",
        _archive_fails,
        (Topic.BASE,),
        reads=(Base,),
    ),
    Rule(
        "DON-07",
        Severity.MAJOR,
        "un serveur de base de données n'est plus corrigé",
        "ses failles restent ouvertes, et ses données ne passeront pas d'elles-mêmes à une version suivie",
        (src.RGPD_32_B, src.PGSSI_OLD),
        "prévoyez le changement de version, essayé d'abord sur une copie",
        _server_ended,
        (Topic.BASE,),
        reads=(Base,),
    ),
)
