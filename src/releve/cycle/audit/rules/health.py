"""POS-11 to POS-17: how a machine fares: disks, memory, services, clock."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import names, number, once, percent
from releve.domain.audit import Topic
from releve.domain.seen import Clock, Disk, System, Unit
from releve.domain.units import say_bytes

LEFT = 0.10  # share; value of ours: a database or a journal that finds no room stops at once
ROOM = 50 * 10**9  # bytes; value of ours: a tenth of a large disk is room enough
MEMORY = 0.05  # share of memory; value of ours: below, the system begins to kill programs
SWAPPED = 0.25  # share of memory in swap; value of ours: what runs has been driven out to disk
DRIFT = 5.0  # seconds; value of ours: beyond, the order of events on two machines is no evidence any more
READ_ONLY = frozenset({"squashfs", "iso9660", "udf", "cramfs", "erofs"})  # full by nature
SOUND = frozenset({"passed", "ok", "sain", "bon"})  # what smartctl says of a disk that is well
AFAR = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse"})  # another machine's disks
DOWN = {  # SubState of systemd's units: given up, or ended and to be started again
    "failed": "est en échec",
    "auto-restart": "s'est arrêté de lui-même et attend d'être relancé",
}


def _weakness(estate: Estate, fact: Disk | Clock | System, subject: str, sentence: str) -> Weakness:
    return Weakness(
        subject,
        f"{estate.name_of(fact.host)} : {sentence}",
        estate.site_of(fact.host),
        seen=estate.seen_at(fact),
    )


def _disks(estate: Estate) -> Iterator[Disk]:
    yield from (fact for fact in estate.all(Disk) if fact.kind not in READ_ONLY and fact.size > 0)


@once
def _full(estate: Estate) -> Iterator[Weakness]:
    for fact in _disks(estate):
        if fact.free / fact.size < LEFT and fact.free < ROOM:
            yield _weakness(
                estate,
                fact,
                f"{fact.host}:{fact.mount}",
                f"il reste {say_bytes(fact.free)} sur {say_bytes(fact.size)} ({percent(fact.free / fact.size)})"
                f" sous {fact.mount}",
            )


@once
def _inodes(estate: Estate) -> Iterator[Weakness]:
    for fact in _disks(estate):
        if fact.inodes and fact.inodes_free is not None and fact.inodes_free / fact.inodes < LEFT:
            yield _weakness(
                estate,
                fact,
                f"{fact.host}:{fact.mount}",
                f"il ne reste de place que pour {fact.inodes_free} fichiers sous {fact.mount}"
                f" ({percent(fact.inodes_free / fact.inodes)})",
            )


@once
def _failing(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Disk):
        if fact.health and fact.health.casefold() not in SOUND:
            yield _weakness(
                estate,
                fact,
                f"{fact.host}:{fact.mount}",
                f"le disque de {fact.mount} se dit « {fact.health} »",
            )


def sick_or_sound(estate: Estate) -> dict[str, bool]:
    """The machines that have disks, and whether one of these said how it is."""
    told: dict[str, bool] = {}
    for fact in _disks(estate):
        if fact.kind.partition(".")[0] not in AFAR:
            told[fact.host] = told.get(fact.host, False) or bool(fact.health)
    return told


def healthless(estate: Estate) -> tuple[str, ...]:
    """The machines whose disks said nothing of their health, and no gap says why: they are another machine's."""
    return tuple(
        host for host, told in sick_or_sound(estate).items() if not told and not _asked(estate, host)
    )


def _asked(estate: Estate, host: str) -> bool:
    look = estate.look(Topic.MACHINE, host)
    return look is not None and any(gap.code.startswith("smart-") for gap in look.gaps)


def _unheard(estate: Estate) -> str:
    """Why no disk announcing its failure proves nothing, of machines that were looked at."""
    silent = [host for host, told in sick_or_sound(estate).items() if not told]
    return f"la santé des disques n'a pas été vue : {names(estate, silent)}" if silent else ""


@once
def _memory(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(System):
        if not fact.memory:
            continue
        said = []
        if fact.memory_free is not None and fact.memory_free / fact.memory < MEMORY:
            said.append(f"il reste {say_bytes(fact.memory_free)} de mémoire sur {say_bytes(fact.memory)}")
        if fact.swap_used is not None and fact.swap_used / fact.memory > SWAPPED:
            said.append(f"{say_bytes(fact.swap_used)} sont sur disque faute de mémoire")
        if said:
            yield _weakness(estate, fact, fact.host, " et ".join(said))


@once
def _failed(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Unit):
        if said := DOWN.get(fact.state):
            what = "le montage" if fact.name.endswith(".mount") else "le service"
            yield Weakness(
                f"{fact.host}:{fact.name}",
                f"{estate.name_of(fact.host)} : {what} {fact.name} {said}",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


def drifted(fact: Clock) -> bool:
    """Whether a clock is certainly off by more than DRIFT, whatever the error of the measure."""
    return abs(fact.offset) - fact.margin > DRIFT


@once
def _drift(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Clock):
        if drifted(fact):
            way = "avance" if fact.offset > 0 else "retarde"
            yield _weakness(
                estate,
                fact,
                fact.host,
                f"l'horloge {way} de {number(abs(fact.offset))} s, à {number(fact.margin)} s près",
            )


@once
def _loose(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Clock):
        if fact.synchronised is False and not drifted(fact):
            yield _weakness(estate, fact, fact.host, "l'horloge est juste mais n'est réglée par personne")


_MACHINE = (Topic.MACHINE,)
RULES = (
    Rule(
        "POS-11",
        Severity.MAJOR,
        "un disque est presque plein",
        "plein, il arrête la base, le journal et les sauvegardes en même temps",
        (src.OURS, src.RGPD_32_B),
        "faites de la place ou agrandissez ; cherchez ce qui grossit",
        _full,
        _MACHINE,
        reads=(Disk,),
    ),
    Rule(
        "POS-12",
        Severity.MAJOR,
        "un disque n'a plus de place pour de nouveaux fichiers",
        "il reste des octets mais plus une seule fiche : rien ne s'écrit plus",
        (src.OURS, src.RGPD_32_B),
        "cherchez le dossier aux millions de petits fichiers (messages, sessions, cache) et videz-le",
        _inodes,
        _MACHINE,
        reads=(Disk,),
    ),
    Rule(
        "POS-13",
        Severity.CRITICAL,
        "un disque annonce sa panne",
        "il le dit souvent quelques jours avant, parfois quelques heures",
        (src.RGPD_32_B, src.CNIL_17),
        "vérifiez aujourd'hui la dernière copie, puis changez le disque",
        _failing,
        _MACHINE,
        unheard=_unheard,
        reads=(Disk,),
    ),
    Rule(
        "POS-14",
        Severity.MINOR,
        "une machine manque de mémoire",
        "le système arrête de lui-même le programme le plus gros : souvent la base",
        (src.OURS, src.RGPD_32_B),
        "ajoutez de la mémoire, ou déplacez un programme",
        _memory,
        _MACHINE,
        reads=(System,),
    ),
    Rule(
        "POS-15",
        Severity.MAJOR,
        "un service est en échec",
        "il devait tourner et ne tourne pas ; si c'est celui des sauvegardes, personne ne le voit",
        (src.CNIL_19, src.RGPD_32_B),
        "lisez son journal, remettez-le en route, ou désactivez-le s'il ne sert plus",
        _failed,
        _MACHINE,
        reads=(Unit,),
    ),
    Rule(
        "POS-16",
        Severity.MAJOR,
        "une horloge n'est pas à l'heure",
        "les dates des copies et des journaux ne disent plus ce qui s'est passé avant quoi",
        (src.OURS, src.RGPD_33),
        "réglez-la sur un serveur de temps, le même pour tout le monde",
        _drift,
        _MACHINE,
        reads=(Clock,),
    ),
    Rule(
        "POS-17",
        Severity.MINOR,
        "une horloge n'est réglée par personne",
        "elle est juste aujourd'hui et ne le restera pas",
        (src.OURS, src.RGPD_33),
        "mettez en route la synchronisation (systemd-timesyncd, chrony)",
        _loose,
        _MACHINE,
        reads=(Clock,),
    ),
)
