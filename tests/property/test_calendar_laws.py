"""Laws of the calendars, and a reference that looks at the clock on the wall minute after minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from releve.domain.calendars import Calendar, Closure, Pause, due_at, elapsed, worst_wall
from releve.domain.units import Clock, Span

MINUTE = timedelta(minutes=1)
unhurried = settings(deadline=None)  # the first holiday read imports a package; speed is judged elsewhere
DAYS = 9


@dataclass(frozen=True)
class Scene:
    """Nine days somewhere, with the holidays that a French wall calendar shows on them."""

    timezone: str
    zone: str
    first: date
    holidays: frozenset[date]


SCENES = (
    Scene("Europe/Paris", "FR", date(2026, 3, 25), frozenset()),  # spring: 29 March
    Scene("Europe/Paris", "FR", date(2026, 10, 21), frozenset()),  # autumn: 25 October
    Scene("Europe/Paris", "FR", date(2026, 4, 30), frozenset({date(2026, 5, 1), date(2026, 5, 8)})),
    Scene("Europe/Paris", "FR-6AE", date(2026, 4, 1), frozenset({date(2026, 4, 3), date(2026, 4, 6)})),
    Scene("Europe/Paris", "", date(2026, 4, 30), frozenset()),
    Scene(
        "America/Martinique", "FR-972", date(2026, 5, 18), frozenset({date(2026, 5, 22), date(2026, 5, 25)})
    ),
    Scene(
        "Indian/Reunion", "FR-974", date(2026, 12, 18), frozenset({date(2026, 12, 20), date(2026, 12, 25)})
    ),
    Scene("America/Miquelon", "FR-PM", date(2026, 3, 4), frozenset()),  # spring: 8 March
)


@cache
def wall(scene: Scene) -> list[tuple[date, int]]:
    """What the wall shows at each UTC minute of the scene: the date and the minute of the day."""
    zone = ZoneInfo(scene.timezone)
    start = datetime.combine(scene.first, time(), UTC)
    shown = [(start + n * MINUTE).astimezone(zone) for n in range(DAYS * 1440)]
    return [(at.date(), at.hour * 60 + at.minute) for at in shown]


def open_minutes(scene: Scene, slots: dict[int, list[tuple[int, int]]]) -> list[bool]:
    """The reference: whether each UTC minute of the scene is inside a slot."""
    return [
        day not in scene.holidays and any(a <= minute < b for a, b in slots[day.weekday()])
        for day, minute in wall(scene)
    ]


def as_time(minute: int) -> time:
    """The time of a minute of the day; 1440 is written 00:00."""
    return time(minute // 60 % 24, minute % 60)


@st.composite
def days(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Up to three disjoint slots, in minutes of the day."""
    edges = sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))
    return list(zip(edges[::2], edges[1::2], strict=False))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Scene, Calendar, list[bool]]:
    """A scene, a calendar, and the reference's answer for each minute."""
    scene = draw(st.sampled_from(SCENES))
    slots = {weekday: draw(days()) for weekday in range(7)}
    times = {d: tuple((as_time(a), as_time(b)) for a, b in slots[d]) for d in slots}
    return scene, Calendar("essai", scene.timezone, times, scene.zone), open_minutes(scene, slots)


def instant(scene: Scene, minute: int) -> datetime:
    """The instant that many UTC minutes after the scene begins."""
    return datetime.combine(scene.first, time(), UTC) + minute * MINUTE


@unhurried
@given(cases(), st.tuples(st.integers(0, DAYS * 1440), st.integers(0, DAYS * 1440)))
def test_elapsed_is_what_the_wall_clock_shows(
    case: tuple[Scene, Calendar, list[bool]], ends: tuple[int, int]
) -> None:
    """Time elapsed equals the minutes at which the wall shows an opening hour, whatever the season."""
    scene, calendar, opened = case
    start, end = sorted(ends)
    expected = sum(opened[start:end]) * MINUTE
    assert elapsed(instant(scene, start), instant(scene, end), calendar) == expected
    assert elapsed(instant(scene, end), instant(scene, start), calendar) == -expected


@unhurried
@given(cases(), st.integers(0, DAYS * 1440 - 1), st.data())
def test_a_deadline_is_the_end_of_the_last_open_minute(
    case: tuple[Scene, Calendar, list[bool]], start: int, data: st.DataObject
) -> None:
    """A deadline falls exactly when the wall has shown as many open minutes as the span has."""
    scene, calendar, opened = case
    ends = [n + 1 for n in range(start, len(opened)) if opened[n]]
    minutes = data.draw(st.integers(0, len(ends)), label="minutes")
    expected = ends[minutes - 1] if minutes else start
    span = Span(minutes * 60, Clock.BUSINESS)
    assert due_at(instant(scene, start), span, calendar) == instant(scene, expected)


INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
OFFICE = Calendar(
    "bureau",
    "Europe/Paris",
    {
        **{day: ((time(9), time(12, 30)), (time(13, 30), time(17))) for day in (0, 1, 3, 4)},
        2: ((time(9), time(12)),),
        5: ((time(22), time(0)),),
        6: ((time(0), time(6)),),
    },
    "FR-57",
)
SPANS = st.one_of(
    st.integers(0, 400 * 3600).map(lambda seconds: Span(seconds, Clock.BUSINESS)),
    st.integers(1, 60).map(lambda number: Span(0.0, Clock.BUSINESS, number)),
)


@unhurried
@given(INSTANTS, st.integers(0, 10**12))
def test_what_ran_until_the_deadline_is_the_span(start: datetime, microseconds: int) -> None:
    """elapsed(start, due_at(start, span)) is the span, to the microsecond."""
    span = Span(microseconds / 1e6, Clock.BUSINESS)
    ran = elapsed(start, due_at(start, span, OFFICE), OFFICE)
    assert ran == timedelta(seconds=span.seconds)


@unhurried
@given(INSTANTS, INSTANTS, SPANS)
def test_a_later_start_never_ends_earlier(one: datetime, other: datetime, span: Span) -> None:
    """The deadline is monotone in its start."""
    first, last = sorted((one, other))
    assert due_at(first, span, OFFICE) <= due_at(last, span, OFFICE)


@unhurried
@given(INSTANTS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_two_spans_in_a_row_are_their_sum(start: datetime, one: int, other: int) -> None:
    """Waiting a then b is waiting a + b."""
    first = due_at(start, Span(one, Clock.BUSINESS), OFFICE)
    both = due_at(start, Span(one + other, Clock.BUSINESS), OFFICE)
    # With b = 0 nothing more is waited; otherwise the first deadline may stand at a closing.
    assert due_at(first, Span(other, Clock.BUSINESS), OFFICE) == both


@unhurried
@given(st.lists(INSTANTS, min_size=3, max_size=3))
def test_elapsed_times_add_up(instants: list[datetime]) -> None:
    """elapsed(a, b) + elapsed(b, c) == elapsed(a, c), in any order of a, b and c."""
    a, b, c = instants
    assert elapsed(a, b, OFFICE) + elapsed(b, c, OFFICE) == elapsed(a, c, OFFICE)


@unhurried
@given(st.datetimes(datetime(2027, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)), SPANS)  # noqa: DTZ001
def test_no_start_of_the_year_lasts_longer_than_the_worst(start: datetime, span: Span) -> None:
    """The worst wall-clock length bounds every deadline of that year."""
    assert due_at(start, span, OFFICE) - start <= worst_wall(span, OFFICE, year=2027)


HOURS = st.integers(0, 4 * 365 * 24)
SCHOOL = Calendar(
    "institut",
    "Europe/Paris",
    OFFICE.slots,
    "FR",
    (Closure(date(2026, 8, 20), date(2026, 9, 4)), Closure(date(2027, 5, 7), date(2027, 5, 7))),
    "C",
)
CLOCKS = st.sampled_from((None, OFFICE, SCHOOL))


def hour(number: int) -> datetime:
    """The instant that many hours after the beginning of 2026."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)


@st.composite
def standstills(draw: st.DrawFn) -> list[Pause]:
    """Up to five pauses of at most a month, in any order, overlapping or not."""
    starts = draw(st.lists(st.tuples(HOURS, st.integers(0, 720)), max_size=5))
    return [(hour(start), hour(start + length)) for start, length in starts]


def span_for(calendar: Calendar | None, seconds: int) -> Span:
    """A span on the clock of a calendar, or on the wall."""
    return Span(seconds, Clock.WALL if calendar is None else Clock.BUSINESS)


@unhurried
@given(CLOCKS, st.lists(INSTANTS, min_size=3, max_size=3), standstills())
def test_elapsed_times_add_up_around_pauses(
    calendar: Calendar | None, instants: list[datetime], pauses: list[Pause]
) -> None:
    """elapsed(a, b) + elapsed(b, c) == elapsed(a, c), in any order, whatever was suspended."""
    a, b, c = instants
    whole = elapsed(a, c, calendar, pauses)
    assert elapsed(a, b, calendar, pauses) + elapsed(b, c, calendar, pauses) == whole
    assert elapsed(c, a, calendar, pauses) == -whole


@unhurried
@given(CLOCKS, HOURS, st.integers(0, 500 * 3600), standstills())
def test_what_ran_around_pauses_until_the_deadline_is_the_span(
    calendar: Calendar | None, start: int, seconds: int, pauses: list[Pause]
) -> None:
    """due_at and elapsed undo each other with pauses too, and the deadline is the earliest instant."""
    due = due_at(hour(start), span_for(calendar, seconds), calendar, pauses)
    assert elapsed(hour(start), due, calendar, pauses) == timedelta(seconds=seconds)
    if seconds:
        before = elapsed(hour(start), due - timedelta(seconds=1), calendar, pauses)
        assert before == timedelta(seconds=seconds - 1)


@unhurried
@given(CLOCKS, HOURS, HOURS, st.integers(0, 500 * 3600), standstills())
def test_a_pause_never_hastens_a_deadline(
    calendar: Calendar | None, one: int, other: int, seconds: int, pauses: list[Pause]
) -> None:
    """More pauses, or a later start: the deadline is never earlier."""
    span = span_for(calendar, seconds)
    first, last = sorted((hour(one), hour(other)))
    due = due_at(first, span, calendar, pauses)
    assert due >= due_at(first, span, calendar, pauses[1:])
    assert due <= due_at(last, span, calendar, pauses)


@unhurried
@given(INSTANTS, INSTANTS, standstills())
def test_time_inside_pauses_and_outside_is_all_the_time(
    one: datetime, other: datetime, pauses: list[Pause]
) -> None:
    """What ran and what stood still make the whole; what stood still is the union of the pauses."""
    first, last = sorted((one, other))
    edges = sorted({first, last, *(edge for pause in pauses for edge in pause if first < edge < last)})
    still = sum(
        (b - a for a, b in pairwise(edges) if any(s <= a and b <= e for s, e in pauses)),
        timedelta(0),
    )
    assert elapsed(first, last, None, pauses) + still == last - first


@unhurried
@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)), SPANS)  # noqa: DTZ001
def test_no_start_around_a_closure_lasts_longer_than_the_worst(start: datetime, span: Span) -> None:
    """Closures and school holidays are inside the worst case of the year."""
    assert due_at(start, span, SCHOOL) - start <= worst_wall(span, SCHOOL, year=2026)


@unhurried
@given(INSTANTS, INSTANTS)
def test_a_closure_never_opens_anything(one: datetime, other: datetime) -> None:
    """With closures and school holidays, never more time runs than without."""
    first, last = sorted((one, other))
    bare = Calendar("institut", "Europe/Paris", OFFICE.slots, "FR")
    assert elapsed(first, last, SCHOOL) <= elapsed(first, last, bare)
