"""Plan + incident -> runbook. Pure: the same inputs give the same tasks, in the same order.

The order is the safety argument, so it is built here and nowhere else:

    switch   close → fence → (a person's word) → assess → (accepted loss) → promote → verify → open
    return   survey → rebuild → arm → close → fence → drain → promote → rebuild → arm → open

An application opens after the applications that it needs. Everything else runs in parallel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from releve.domain.errors import BadInput
from releve.domain.plan import Application, DataSet, Plan
from releve.domain.protection import Tenure
from releve.domain.runbook import Answer, Direction, Question, Runbook, Task, TaskKind

# Expected seconds before anything was measured. Orders of magnitude of small databases on the
# embedded default; each is replaced by the last measure of the same task as soon as there is one.
DEFAULT_SECONDS: Mapping[TaskKind, float] = {
    TaskKind.CLOSE: 1.0,
    TaskKind.FENCE: 5.0,
    TaskKind.CONFIRM_FENCE: 600.0,
    TaskKind.ASSESS: 0.1,
    TaskKind.ACCEPT_LOSS: 900.0,
    TaskKind.PROMOTE: 0.2,
    TaskKind.START: 2.0,
    TaskKind.VERIFY: 1.0,
    TaskKind.OPEN: 0.1,
    TaskKind.SURVEY: 5.0,
    TaskKind.REBUILD: 60.0,
    TaskKind.ARM: 1.0,
    TaskKind.DRAIN: 1.0,
}

FENCE_ANSWERS = (
    Answer("stopped", "Oui : il est arrêté et ne pourra pas repartir seul", goes_on=True),
    Answer("not-sure", "Non, ou je n'en suis pas certain", goes_on=False),
)
LOSS_ANSWERS = (
    Answer("accept", "J'accepte cette perte et je demande la bascule", goes_on=True),
    Answer("refuse", "Je refuse : on ne bascule pas", goes_on=False),
)


@dataclass(frozen=True, slots=True)
class Durations:
    """Measured seconds by "kind:subject"; anything else falls back to the defaults."""

    measured: Mapping[str, float]

    def of(self, kind: TaskKind, subject: str) -> tuple[float, str]:
        """Seconds, and where the figure comes from."""
        seconds = self.measured.get(f"{kind}:{subject}")
        return (seconds, "measured") if seconds is not None else (DEFAULT_SECONDS[kind], "default")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: leave `source` for `target`. `tenures`: who holds each data set today."""

    run: str
    direction: Direction
    incident: str
    source: str
    target: str
    tenures: Mapping[str, Tenure]
    durations: Durations


def derive(plan: Plan, request: Request) -> Runbook:
    """The runbook of `request`. Raises `BadInput` when there is nothing to move."""
    data_sets = [item for item in plan.data_sets if _moves(item, request)]
    applications = [item for item in _in_need_order(plan) if _follows(item, data_sets, request)]
    if not data_sets and not applications:
        raise BadInput(
            "nothing-to-move",
            f"aucune donnée ni application n'est tenue par le site « {request.source} »",
            hint="« releve status » montre quel site tient quoi",
        )
    _all_data_moves(applications, data_sets, request)
    builder = _Builder(plan, request)
    if request.direction is Direction.SWITCH:
        builder.switch(data_sets, applications)
    else:
        builder.planned(data_sets, applications)
    epochs = {item.id: _epoch(request.tenures, item) + 1 for item in data_sets}
    return Runbook(
        request.run,
        request.direction,
        request.incident,
        request.source,
        request.target,
        epochs,
        tuple(builder.ordered()),
    )


def holder(tenures: Mapping[str, Tenure], data_set: DataSet) -> str:
    """The site that may write `data_set`: the recorded tenure, or the plan's primary before any."""
    tenure = tenures.get(data_set.id)
    return tenure.site if tenure else data_set.primary_site


def _epoch(tenures: Mapping[str, Tenure], data_set: DataSet) -> int:
    tenure = tenures.get(data_set.id)
    return tenure.epoch if tenure else 0


def _moves(data_set: DataSet, request: Request) -> bool:
    here = holder(request.tenures, data_set) == request.source
    return here and request.target in data_set.ends and request.source in data_set.ends


def _follows(application: Application, moving: list[DataSet], request: Request) -> bool:
    if request.target not in application.ends or request.source not in application.ends:
        return False
    names = {item.id for item in moving}
    there = {name for name, tenure in request.tenures.items() if tenure.site == request.target}
    # Data that stand at the target already: an earlier run moved them and stopped before it opened.
    return not application.data or any(name in names | there for name in application.data)


def _all_data_moves(applications: Iterable[Application], moving: list[DataSet], request: Request) -> None:
    names = {item.id for item in moving}
    for application in applications:
        away = [
            name
            for name in application.data
            if name not in names and name in request.tenures and request.tenures[name].site != request.target
        ]
        if away:
            raise BadInput(
                "split-application",
                f"l'application « {application.id} » aurait ses données sur deux sites : {', '.join(away)}",
                hint="basculez d'abord ces données, ou corrigez le plan",
            )


def _in_need_order(plan: Plan) -> list[Application]:
    graph = {item.id: item.needs for item in plan.applications}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise BadInput("dependency-cycle", f"dépendances en boucle : {' → '.join(error.args[1])}") from error
    rank = {name: index for index, name in enumerate(order)}
    return sorted(plan.applications, key=lambda item: (rank[item.id], item.id))


class _Builder:
    """Adds tasks to a growing graph; task ids are "kind:subject" (or "kind-back:subject")."""

    def __init__(self, plan: Plan, request: Request) -> None:
        self._plan = plan
        self._request = request
        self._tasks: dict[str, Task] = {}

    def ordered(self) -> list[Task]:
        """The tasks in a valid order, stable for the same inputs."""
        rank = {name: index for index, name in enumerate(self._tasks)}
        sorter = TopologicalSorter({task.id: task.after for task in self._tasks.values()})
        sorter.prepare()
        order: list[Task] = []
        while sorter.is_active():
            for name in sorted(sorter.get_ready(), key=lambda item: rank[item]):
                order.append(self._tasks[name])
                sorter.done(name)
        return order

    def switch(self, data_sets: list[DataSet], applications: list[Application]) -> None:
        source, target = self._request.source, self._request.target
        for app in applications:
            self._close(app, source, after=())
        for item in data_sets:
            closed = [f"close:{app.id}" for app in applications if item.id in app.data]
            self._fence(item, closed)
            self._add(
                TaskKind.ASSESS,
                item.id,
                target,
                f"Évaluer ce qui serait perdu ({item.name})",
                [f"confirm-fence:{item.id}"],
            )
            self._add(
                TaskKind.ACCEPT_LOSS,
                item.id,
                target,
                f"Accepter ou refuser la perte ({item.name})",
                [f"assess:{item.id}"],
                question=self._loss_question(item),
            )
            self._add(
                TaskKind.PROMOTE,
                item.id,
                target,
                f"Ouvrir « {item.name} » sur le secours",
                [f"accept-loss:{item.id}"],
            )
        for app in applications:
            promoted = [f"promote:{name}" for name in app.data if f"promote:{name}" in self._tasks]
            self._start(app, target, [] if app.ends[target].warm else [f"close:{app.id}", *promoted])
            self._let_in(app, applications, promoted, [])

    def planned(self, data_sets: list[DataSet], applications: list[Application]) -> None:
        source, target = self._request.source, self._request.target
        for item in data_sets:
            self._add(
                TaskKind.SURVEY, item.id, target, f"Chercher ce que seul ce site avait ({item.name})", []
            )
            self._add(
                TaskKind.REBUILD,
                item.id,
                target,
                f"Remettre « {item.name} » à la suite de l'autre site",
                [f"survey:{item.id}"],
            )
            self._add(
                TaskKind.ARM,
                item.id,
                source,
                f"Attendre que les deux copies soient égales ({item.name})",
                [f"rebuild:{item.id}"],
            )
        ready = [f"arm:{item.id}" for item in data_sets]
        for app in applications:
            if app.ends[target].warm:
                self._start(app, target, [f"rebuild:{n}" for n in app.data if f"rebuild:{n}" in self._tasks])
                ready.append(f"start:{app.id}")
        for app in applications:
            self._close(app, source, after=ready)
        for item in data_sets:
            closed = [f"close:{app.id}" for app in applications if item.id in app.data]
            self._add(
                TaskKind.FENCE,
                item.id,
                source,
                f"Fermer le dossier quitté ({item.name})"
                if item.shared
                else f"Arrêter le serveur quitté ({item.name})",
                closed or ready,
            )
            self._add(
                TaskKind.DRAIN,
                item.id,
                target,
                f"Vérifier que tout est arrivé ({item.name})",
                [f"fence:{item.id}"],
            )
            self._add(
                TaskKind.PROMOTE,
                item.id,
                target,
                f"Ouvrir « {item.name} » sur le site de retour",
                [f"drain:{item.id}"],
            )
            self._add(
                TaskKind.REBUILD,
                item.id,
                source,
                f"Remettre le site quitté en copie ({item.name})",
                [f"promote:{item.id}"],
                suffix="-back",
            )
            self._add(
                TaskKind.ARM,
                item.id,
                target,
                f"Rétablir la copie en temps réel ({item.name})",
                [f"rebuild-back:{item.id}"],
                suffix="-back",
            )
        for app in applications:
            promoted = [f"promote:{name}" for name in app.data if f"promote:{name}" in self._tasks]
            # Users wait for a promise of zero loss to be in force again, and for nothing less.
            waiting = [item.id for item in data_sets if item.protection.synchronous]
            armed = [f"arm-back:{name}" for name in app.data if name in waiting]
            if not app.ends[target].warm:
                self._start(app, target, promoted)
            self._let_in(app, applications, promoted, armed)

    def _close(self, app: Application, site: str, after: Iterable[str]) -> None:
        self._add(TaskKind.CLOSE, app.id, site, f"Fermer « {app.name} » sur le site quitté", after)

    def _start(self, app: Application, site: str, after: Iterable[str]) -> None:
        self._add(TaskKind.START, app.id, site, f"Démarrer « {app.name} », encore fermée", after)

    def _let_in(
        self, app: Application, moving: list[Application], promoted: list[str], armed: list[str]
    ) -> None:
        target = self._request.target
        needed = [f"open:{other.id}" for other in moving if other.id in app.needs]
        self._add(
            TaskKind.VERIFY,
            app.id,
            target,
            f"Vérifier « {app.name} »",
            [f"close:{app.id}", f"start:{app.id}", *promoted, *needed],
        )
        self._add(
            TaskKind.OPEN,
            app.id,
            target,
            f"Ouvrir « {app.name} » aux utilisateurs",
            [f"verify:{app.id}", *armed],
        )

    def _fence(self, item: DataSet, closed: list[str]) -> None:
        source = self._request.source
        self._add(
            TaskKind.FENCE,
            item.id,
            source,
            f"Fermer l'ancien dossier et le voir fermé ({item.name})"
            if item.shared
            else f"Arrêter l'ancien serveur et le voir arrêté ({item.name})",
            closed,
        )
        self._add(
            TaskKind.CONFIRM_FENCE,
            item.id,
            source,
            f"Confirmer que l'ancien dossier est fermé ({item.name})"
            if item.shared
            else f"Confirmer que l'ancien serveur est arrêté ({item.name})",
            [f"fence:{item.id}"],
            question=self._fence_question(item),
        )

    def _fence_question(self, item: DataSet) -> Question:
        rule = self._plan.approval("fence")
        site = self._plan.site(self._request.source).name
        return Question(
            f"Le dossier de « {item.name} » sur « {site} » n'a pas pu être vu fermé. Êtes-vous certain que plus "
            "personne n'y enregistre, et que cela ne reprendra pas seul ? Dites comment vous le savez."
            if item.shared
            else f"Le serveur de « {item.name} » sur « {site} » n'a pas pu être vu arrêté. "
            "Êtes-vous certain qu'il est arrêté et qu'il ne repartira pas seul ? Dites comment vous le savez.",
            FENCE_ANSWERS,
            rule.deadline,
            rule.who,
            rule.people,
        )

    def _loss_question(self, item: DataSet) -> Question:
        rule = self._plan.approval("accept-loss")
        return Question(
            f"Basculer « {item.name} » maintenant perdrait des données déjà confirmées aux utilisateurs, "
            "ou il est impossible de prouver le contraire. L'acceptez-vous ?",
            LOSS_ANSWERS,
            rule.deadline,
            rule.who,
            rule.people,
        )

    def _add(
        self,
        kind: TaskKind,
        subject: str,
        site: str,
        title: str,
        after: Iterable[str],
        *,
        suffix: str = "",
        question: Question | None = None,
    ) -> None:
        seconds, basis = self._request.durations.of(kind, subject)
        name = f"{kind}{suffix}:{subject}"
        self._tasks[name] = Task(
            name,
            kind,
            subject,
            site,
            title,
            seconds,
            basis,
            resources=(self._host(subject, site),),
            after=tuple(dict.fromkeys(after)),
            who="person" if question else "releve",
            question=question,
        )

    def _host(self, subject: str, site: str) -> str:
        for data_set in self._plan.data_sets:
            if data_set.id == subject:
                return data_set.ends[site].host
        return self._plan.application(subject).ends[site].host


def expected_seconds(runbook: Runbook, *, people: bool = False) -> float:
    """Length of the longest chain of tasks, in seconds; `people` counts the human answers too."""
    finish: dict[str, float] = {}
    for task in runbook.tasks:
        own = task.duration if people or task.question is None else 0.0
        finish[task.id] = max((finish[name] for name in task.after), default=0.0) + own
    return max(finish.values(), default=0.0)
