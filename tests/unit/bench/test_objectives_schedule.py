"""The comparison of the three ways: its estates, its peers, its page."""

from __future__ import annotations

import pytest

from bench.objectives_schedule import again, by_dependencies, by_groups, compare, generate, section
from tests.timetables import faults


@pytest.mark.parametrize("seed", range(3))
def test_the_peers_respect_the_same_relief(seed: int) -> None:
    """Their timetables break no rule either: only the order differs, and groups do not overlap."""
    estate = generate(seed, 20)
    for way in (by_dependencies, by_groups):
        found = way(estate)
        assert faults(estate.jobs, estate.pools, found.start, found.end, estate.release) == []
    grouped = by_groups(estate)
    for soon in estate.jobs:
        for late in estate.jobs:
            if estate.group[soon.application] < estate.group[late.application]:
                assert grouped.end[soon.id] <= grouped.start[late.id]


def test_an_estate_is_that_of_its_seed() -> None:
    """Two runs compare on the same estates."""
    assert generate(4, 15) == generate(4, 15) != generate(5, 15)


def test_the_page_counts_what_the_rows_say() -> None:
    """Totals of each way, and the replay beside the two others, in French."""
    raw = {
        "compare": compare(1),
        "again": again(1, 1),
        "speed": [
            {
                "applications": 40,
                "jobs": 120,
                "schedule_seconds": 0.5,
                "schedule_processor_seconds": 0.4,
                "gap": 0.1,
                "disasters": 10,
                "everything_seconds": 0.25,
                "everything_processor_seconds": 0.2,
                "one_place_seconds": 0.1,
                "one_place_processor_seconds": 0.05,
                "memory_mb": 1234.4,
            }
        ],
    }
    text = "\n".join(section(raw))
    ours = next(row for row in raw["compare"] if row["way"] == "ours")
    assert f"| Relève | {ours['lateness_hours']:.0f} | {ours['broken']} | 0 | 0 |" in text
    assert "| 40 (120) | 0,50 s (0,40) | 10,0 % | 10 | 0,25 s (0,20) | 0,10 s (0,05) | 1 234 Mo |" in text
    assert set(raw["again"][0]) >= {"replayed", "serial", "known"}
