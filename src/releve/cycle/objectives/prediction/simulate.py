"""Thousands of simulated disasters: the same priority list replayed with other durations, arrivals and dues.

A replay places the jobs of the list one after the other, as a serial scheme does (Kolisch 1996), but of each
unit of a pool it knows when it is free for good, and not every gap before. A job takes, of the units that are
free when it can start, those that were freed last; the gap that this leaves is remembered (the longest ones of
a pool), and a later job that needs this pool alone may fill it. What this rests on:

* no constraint is ever broken: a unit serves one job at a time;
* with the durations of the timetable and its jobs by start, every job starts no later than in the timetable
  (when it is placed, the units not yet free at its start are at most those held then in the timetable);
* a gap that is not remembered, or that a job of several pools could have filled, stays empty: the replay is on
  the late side. `docs/decisions/0020` says how much that is against the exact serial scheme;
* a draw is computed from itself alone: what others are computed beside it changes nothing.

All draws advance together, one job at a time, in NumPy: a pool is an array (units, draws), sorted by unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TYPE_CHECKING, Any

from releve.cycle.objectives.prediction.durations import Law
from releve.cycle.objectives.prediction.problem import WEIGHT_STEPS, Need, Problem, problem
from releve.domain.errors import BadInput
from releve.domain.work import Due, Job, Pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Bools = NDArray[np.bool_]

BLOCK = 250  # draws that share one stream of random numbers: what a draw gets does not depend on the chunk
WIDE = 64  # units from which a pool is wide: only what a job changes of it is computed, and fewer gaps kept
GAPS = 8  # gaps that a pool remembers, the longest ones
CHUNK = 250  # draws advanced together: the pools of 2,400 applications then stay within a processor's cache
Z95 = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Rows:
    """One row of `values`, shape (kinds, applications), a draw; `of`, shape (draws), says which.

    `of` None: row i is draw i. So 10,000 draws of 12 scenarios are 12 rows.
    """

    values: Any
    of: Any = None


@dataclass(frozen=True, slots=True)
class Draws:
    """Simulated disasters: `count` of them; columns are applications in the order of the jobs.

    `touched` (bool): which applications must be brought back. `due` (seconds after the outage; inf: none):
    None takes the dues given. `importance` (≥ 0): what the hourly cost is multiplied by at that instant.
    `release`: by pool, shape (draws), the seconds before which none of it is there.
    `correlation` (0 to 1): how much the durations of one disaster vary together (a slow day slows all);
    each job keeps its own percentiles. `per_year`: disasters a year that the draws stand for.
    """

    count: int
    touched: Rows | None = None
    due: Rows | None = None
    importance: Rows | None = None
    release: Mapping[str, Any] = field(default_factory=dict)
    correlation: float = 0.0
    per_year: float = 1.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the draws say of one application. Seconds after the outage, among the draws that touch it.

    `touched`: how many do. With none of them nothing is known: probability, interval, percentiles and loss
    are None, never 100 %. `kept`: probability of being back within its RTO; `low` and `high`: its 95 %
    Wilson interval, for what the number of draws leaves open. None without a due. `loss` and `loss_error`:
    expected loss a year and its standard error, in the unit of the hourly costs; None without a cost.
    """

    application: str
    touched: int
    kept: float | None
    low: float | None
    high: float | None
    p10: float | None
    p50: float | None
    p90: float | None
    loss: float | None
    loss_error: float | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the simulated disasters say.

    `broken`, `lateness`: mean a disaster of the number of RTOs that are not kept and of the weighted
    seconds late. `loss`: a year, over the applications whose cost is known. `after`: by application, the
    seconds between the end of the job that was asked for and its return, one a draw (NaN: not touched).
    """

    applications: tuple[Forecast, ...]
    draws: int
    seed: int
    broken: float
    lateness: float
    loss: float | None
    loss_error: float | None
    after: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)


def simulate(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    dues: Sequence[Due],
    order: Sequence[str],
    draws: Draws,
    *,
    hourly: Mapping[str, float] | None = None,
    seed: int = 0,
    chunk: int = CHUNK,
    after: str = "",
) -> Outlook:
    """Replay `order` (job ids, predecessors first: `Timetable.order`) through `draws`.

    `hourly`: by application, what an hour without it costs; the whole time out counts, not lateness alone.
    `after`: a job of no application, from whose end returns are counted too (`Outlook.after`).
    The same arguments give the same bits, whatever `chunk` (draws advanced together: memory), on one
    machine and one version of NumPy.

    Raises BadInput: those of `problem`, `bad-order` when `order` is not every job, predecessors first, and
    `bad-draws` when a shape or a value of `draws` is wrong.
    """
    import numpy as np

    work = problem(jobs, pools, dues)
    listed = _listed(work, order)
    table = _Table(work, draws)
    law = Law([job.seconds for job in jobs])
    finish = np.full((len(work.applications), draws.count), np.nan, dtype=np.float32)
    origin = np.zeros(draws.count, dtype=np.float32)
    width = max(chunk // BLOCK, 1) * BLOCK
    for first in range(0, draws.count, width):
        places = table.sorted[first : first + width]  # those of one scenario together: whole rows are skipped
        touched = table.touched(places)
        normals = _normals(seed, first, len(places), len(work.jobs), draws.correlation)
        ends = replay(
            work,
            listed,
            lambda job, z=normals: law.seconds(job, z[job]),  # type: ignore[misc]
            touched,
            {pool: row[places] for pool, row in table.release.items()},
        )
        finish[:, places] = np.where(touched, _finishes(work, ends), np.nan)
        if after:
            origin[places] = ends[work.jobs.index(after)]
    found = _outlook(work, table, finish, hourly or {}, seed)
    if not after:
        return found
    return replace(
        found, after={name: finish[index] - origin for index, name in enumerate(work.applications) if name}
    )


def replay(
    work: Problem,
    order: Sequence[int],
    lasting: Callable[[int], Floats],
    touched: Bools,
    release: Mapping[int, Floats],
) -> Floats:
    """The ends of the jobs, shape (jobs, draws): 0 for those of applications that a draw does not touch.

    `order`: the jobs, predecessors first. `lasting(job)`: its seconds, shape (draws). `touched`: shape
    (applications, draws). `release`: by pool, shape (draws); a pool without one has that of the problem.
    What an untouched application is a predecessor of need not wait for it: it runs.
    """
    import numpy as np

    draws = touched.shape[1]
    ends = np.zeros((len(work.jobs), draws), dtype=np.float32)
    pools = _opened(work, release, draws)
    anywhere, everywhere = np.any(touched, axis=1), np.all(touched, axis=1)
    partly = np.flatnonzero(anywhere & ~everywhere).tolist()
    columns: dict[int, Any] = {index: np.flatnonzero(touched[index]) for index in partly}
    for job in order:
        where = work.application[job]
        if not anywhere[where]:
            continue
        some = columns.get(where)
        ready = np.zeros(draws if some is None else len(some), dtype=np.float32)
        for earlier in work.before[job]:
            np.maximum(ready, ends[earlier] if some is None else ends[earlier, some], out=ready)
        seconds = lasting(job) if some is None else lasting(job)[some]
        end = _place(pools, work.needs[job], ready, seconds, some)
        if some is None:
            ends[job] = end
        else:
            ends[job, some] = end
    return ends


def _place(
    pools: Sequence[_Units], needs: Sequence[Need], ready: Floats, seconds: Floats, some: Any
) -> Floats:
    """Give a job its units in the draws `some` (None: all), at `ready` or later; its ends."""
    import numpy as np

    start = ready
    for need in needs:
        start = np.maximum(start, pools[need.pool].free(need.held, some))
    end: Floats = start + seconds
    limited = [need for need in needs if pools[need.pool].limited]
    if not limited:
        return end
    if len(needs) == 1 and not needs[0].kept:
        earlier = pools[needs[0].pool].fill(needs[0].held, ready, start, seconds, some)
        if earlier is not None:
            rest = np.flatnonzero(np.isinf(earlier))
            if len(rest):
                columns = rest if some is None else some[rest]
                pools[needs[0].pool].take(needs[0], start[rest], end[rest], columns)
            filled: Floats = np.where(np.isinf(earlier), end, earlier + seconds)
            return filled
    for need in limited:
        pools[need.pool].take(need, start, end, some)
    return end


class _Units:
    """One pool in all draws: when each unit is free for good, and some gaps before that.

    `table`: shape (units, draws), sorted by unit. `gaps`: from, to and units, each of shape (GAPS, draws); an
    unused one has no units. A pool on which everything fits at once holds nothing back but by its release:
    it is not `limited`, and one row stands for it.
    """

    def __init__(self, opens: Floats, size: int, *, limited: bool) -> None:
        import numpy as np

        self.limited = limited
        self.table = np.repeat(opens[None, :].astype(np.float32), size if limited else 1, axis=0)
        self._spare = np.empty_like(self.table)
        self._gaps = np.zeros((3, GAPS, len(opens)), dtype=np.float32)
        self._any = False

    def free(self, held: int, some: Any) -> Floats:
        """By draw, when `held` units are free for good."""
        row: Floats = self.table[held - 1 if self.limited else 0]
        return row if some is None else row[some]

    def take(self, need: Need, start: Floats, end: Floats, some: Any) -> None:
        """Take units from `start` to `end`, and remember the gap that it leaves before `start`."""
        import numpy as np

        table = self.table if some is None else self.table[:, some]
        last = self._freed(table, need.held, start)
        _take(table, self._spare[:, : table.shape[1]], need, start, end)
        here = np.flatnonzero(last < start)
        if len(here):
            self._any = True
            columns = here if some is None else some[here]
            lengths = self._gaps[1][:, columns] - self._gaps[0][:, columns]
            row = lengths.argmin(axis=0)
            longer = start[here] - last[here] > lengths[row, np.arange(len(here))]
            here, columns, row = here[longer], columns[longer], row[longer]
            self._gaps[0, row, columns] = last[here]
            self._gaps[1, row, columns] = start[here]
            self._gaps[2, row, columns] = need.held
        if some is not None:
            self.table[:, some] = table

    @staticmethod
    def _freed(table: Floats, held: int, start: Floats) -> Floats:
        """By draw, when the last unit that a job takes was freed; `start` where the gap is not worth a look.

        In a wide pool, only the gap of who takes the last units free at `start` is.
        """
        import numpy as np

        found: Floats
        if held == len(table):
            found = table[held - 1].copy()
            return found
        if len(table) >= WIDE:
            found = np.where(table[held] > start, table[held - 1], start)
            return found
        spare = np.count_nonzero(table[held:] <= start, axis=0)
        found = table[held - 1 + spare, np.arange(len(start))]
        return found

    def fill(self, held: int, ready: Floats, start: Floats, seconds: Floats, some: Any) -> Floats | None:
        """Put a job into a gap where one lets it start before `start`: its starts, infinity elsewhere.

        None: in no draw. Of a gap, the longer of the two parts around the job is kept.
        """
        import numpy as np

        if not self._any or not (ready < start).any():
            return None
        begins, ends, units = self._gaps if some is None else self._gaps[:, :, some]
        tried = np.maximum(begins, ready)
        tried[(tried + seconds > ends) | (units < held)] = np.inf
        which = tried.argmin(axis=0)
        found: Floats = tried[which, np.arange(len(ready))]
        found[found >= start] = np.inf
        used = np.flatnonzero(np.isfinite(found))
        if not len(used):
            return None
        row, column = which[used], used if some is None else some[used]
        until = found[used] + seconds[used]
        low, high = self._gaps[0, row, column], self._gaps[1, row, column]
        before = found[used] - low > high - until
        self._gaps[0, row, column] = np.where(before, low, until)
        self._gaps[1, row, column] = np.where(before, found[used], high)
        return found


def _opened(work: Problem, release: Mapping[int, Floats], draws: int) -> list[_Units]:
    """The pools, everything free from their release on."""
    import numpy as np

    most = [0] * len(work.pools)
    for row in work.needs:
        for need in row:
            most[need.pool] += need.held
    return [
        _Units(release.get(pool, np.full(draws, float(work.release[pool]))), size, limited=most[pool] > size)
        for pool, size in enumerate(work.capacity)
    ]


def _take(table: Floats, spare: Floats, need: Need, start: Floats, end: Floats) -> None:
    """Change `table`, shape (units, draws), when a job holds units from `start` to `end`.

    Of the m units free at `start`, the `held` freed last are taken: rows below m - held stay. From there,
    the rows left (from i + held on) and the `held - kept` given back at `end` are merged: row i is
    min(row[i + held], max(end, row[i + kept])). What is kept is never free again: infinity. `spare`: room
    of the same shape.
    """
    import numpy as np

    size, held, kept = len(table), need.held, need.kept
    low, high = _window(table, need, start, end)
    top = min(high, size - held)
    if kept:
        np.maximum(table[low + kept :], end, out=spare[low : size - kept])
        spare[size - kept :] = np.inf
    else:
        np.maximum(table[low:high], end, out=spare[low:high])
    if top > low:
        above, changed = table[low + held : top + held], spare[low:top]
        np.minimum(changed, above, out=changed)
        np.copyto(changed, table[low:top], where=above <= start)
    table[low:high] = spare[low:high]


def _window(table: Floats, need: Need, start: Floats, end: Floats) -> tuple[int, int]:
    """Rows outside of which nothing changes in any draw, to an eighth of a large pool."""
    size, held = len(table), need.held
    low, high, step = 0, size, size // 8
    if size < WIDE:
        return low, high
    while low + step + held <= size and (table[low + step - 1 + held] <= start).all():
        low += step
    while not need.kept and high - step >= low + held and (table[high - step] >= end).all():
        high -= step
    return low, high


class _Table:
    """Draws checked and ready: rows are looked up by draw, the draws of one scenario side by side."""

    def __init__(self, work: Problem, draws: Draws) -> None:
        import numpy as np

        size, count = len(work.applications), draws.count
        if count < 1:
            raise _wrong("count", "au moins un tirage")
        if not 0 <= draws.correlation <= 1:
            raise _wrong("correlation", "de 0 à 1")
        self.count, self.per_year = count, draws.per_year
        usual = np.array([[np.inf if due is None else float(due) for due in work.due]])
        self._touched = _rows(draws.touched, np.ones((1, size), dtype=np.bool_), size, count, "touched")
        self._due = _rows(draws.due, usual, size, count, "due")
        self._importance = _rows(draws.importance, np.ones((1, size)), size, count, "importance")
        self.sorted = np.argsort(self._touched[1], kind="stable")
        self.release: dict[int, Floats] = {}
        for name, given in draws.release.items():
            row = np.asarray(given, dtype=np.float64)
            if name not in work.pools or row.shape != (count,) or not (row >= 0).all() or np.isinf(row).any():
                raise _wrong(f"release {name}", "une ressource connue, une durée positive par tirage")
            self.release[work.pools.index(name)] = row

    def touched(self, places: Any) -> Bools:
        """Shape (applications, draws): whether each of the draws `places` touches the application."""
        values, of = self._touched
        found: Bools = values[of[places]].T
        return found

    def due(self, application: int) -> Floats:
        """By draw, seconds."""
        values, of = self._due
        found: Floats = values[:, application][of]
        return found

    def importance(self, application: int) -> Floats:
        """By draw, what the hourly cost is multiplied by."""
        values, of = self._importance
        found: Floats = values[:, application][of]
        return found


def _rows(given: Rows | None, usual: Any, size: int, count: int, name: str) -> tuple[Any, Any]:
    import numpy as np

    if given is None:
        return usual, np.zeros(count, dtype=np.int64)
    values = np.asarray(given.values, dtype=usual.dtype)
    of = np.arange(len(values)) if given.of is None else np.asarray(given.of)
    if values.ndim != 2 or values.shape[1] != size or of.shape != (count,):
        raise _wrong(name, f"une ligne par tirage (il y en a {count}), une colonne par application ({size})")
    if of.min() < 0 or of.max() >= len(values):
        raise _wrong(name, f"des numéros de ligne de 0 à {len(values) - 1}")
    if usual.dtype != np.bool_ and not (values >= 0).all():
        raise _wrong(name, "des nombres positifs")
    return values, of


def _wrong(name: str, wanted: str) -> BadInput:
    return BadInput("bad-draws", f"tirages inutilisables : {name}", hint=f"il faut {wanted}")


def _listed(work: Problem, order: Sequence[str]) -> list[int]:
    number = {name: index for index, name in enumerate(work.jobs)}
    found = [number[name] for name in order if name in number]
    place = {job: index for index, job in enumerate(found)}
    if len(order) != len(number) or len(place) != len(number):
        raise BadInput("bad-order", "la liste n'est pas celle de toutes les tâches, chacune une fois")
    for job in found:
        for earlier in work.before[job]:
            if place[earlier] > place[job]:
                raise BadInput(
                    "bad-order", f"« {work.jobs[job]} » est avant « {work.jobs[earlier]} », dont elle dépend"
                )
    return found


def _normals(seed: int, first: int, count: int, jobs: int, correlation: float) -> Floats:
    """Standard normal numbers of the draws `first` to `first + count`, shape (jobs, draws), in float32.

    `first` is a multiple of BLOCK: each block of draws has its own stream, drawn whole.
    """
    import numpy as np

    parts = []
    for block in range(first // BLOCK, (first + count - 1) // BLOCK + 1):
        stream = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, block])))
        shared = stream.standard_normal(BLOCK, dtype=np.float32)
        own = stream.standard_normal((jobs, BLOCK), dtype=np.float32)
        if correlation:
            own *= np.float32(sqrt(1 - correlation))
            own += shared * np.float32(sqrt(correlation))
        parts.append(own)
    return np.concatenate(parts, axis=1)[:, :count] if len(parts) > 1 else parts[0][:, :count]


def _finishes(work: Problem, ends: Floats) -> Floats:
    """By application, shape (applications, draws), the end of its last job."""
    import numpy as np

    found = np.zeros((len(work.applications), ends.shape[1]))
    for job, where in enumerate(work.application):
        np.maximum(found[where], ends[job], out=found[where])
    return found


def _outlook(work: Problem, table: _Table, finish: Floats, hourly: Mapping[str, float], seed: int) -> Outlook:
    import numpy as np

    broken, late, whole = 0, np.zeros(table.count), np.zeros(table.count)
    forecasts = []
    for index, name in enumerate(work.applications):
        seen = np.flatnonzero(~np.isnan(finish[index]))
        back = finish[index, seen].astype(np.float64)
        due = table.due(index)[seen]
        over = np.maximum(back - due, 0.0)
        kept = int(np.count_nonzero(back <= due))
        broken += len(seen) - kept
        late[seen] += over * work.weight[index] / WEIGHT_STEPS
        lost = None
        if name in hourly:
            lost = np.zeros(table.count)
            lost[seen] = back / 3600 * hourly[name] * table.importance(index)[seen]
            whole += lost
        forecasts.append(
            _forecast(name, back, kept if np.isfinite(due).any() else None, lost, table.per_year)
        )
    mean, error = _mean(whole, table.per_year)
    return Outlook(
        applications=tuple(forecasts),
        draws=table.count,
        seed=seed,
        broken=broken / table.count,
        lateness=float(late.mean()),
        loss=mean if hourly else None,
        loss_error=error if hourly else None,
    )


def _forecast(name: str, back: Floats, kept: int | None, lost: Floats | None, per_year: float) -> Forecast:
    import numpy as np

    count = len(back)
    if not count:
        return Forecast(name, 0, None, None, None, None, None, None, None, None)
    p10, p50, p90 = (float(one) for one in np.quantile(back, (0.1, 0.5, 0.9), method="inverted_cdf"))
    low, high = (None, None) if kept is None else wilson(kept, count)
    loss, error = (None, None) if lost is None else _mean(lost, per_year)
    return Forecast(
        name, count, None if kept is None else kept / count, low, high, p10, p50, p90, loss, error
    )


def _mean(values: Floats, per_year: float) -> tuple[float, float]:
    """What the draws cost a year, and its standard error."""
    return float(values.mean()) * per_year, float(values.std()) / sqrt(len(values)) * per_year


def wilson(kept: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a probability seen `kept` times out of `count` (≥ 1).

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (Journal of the
    American Statistical Association 22, 1927): it stays within 0 and 1, and is not empty at 0 or 1.
    """
    part, square = kept / count, Z95**2
    middle = (part + square / (2 * count)) / (1 + square / count)
    half = Z95 / (1 + square / count) * sqrt(part * (1 - part) / count + square / (4 * count**2))
    # at both ends it is exact, whatever the rounding: what was never seen may be never
    return (max(middle - half, 0.0) if kept else 0.0), (min(middle + half, 1.0) if kept < count else 1.0)
