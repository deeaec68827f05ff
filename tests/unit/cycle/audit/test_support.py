"""Until when a system is mended."""

from __future__ import annotations

from datetime import date

import pytest

from releve.cycle.audit.support import support_named, support_of, systems


@pytest.mark.parametrize(
    ("os", "version", "until"),
    [
        ("debian", "12", date(2028, 6, 30)),
        ("ubuntu", "22.04", date(2027, 6, 1)),
        ("rocky", "8.10", date(2029, 5, 31)),
        ("Debian", " 12 ", date(2028, 6, 30)),
        ("postgresql", "16.4 (Debian 16.4-1)", date(2028, 11, 9)),
        ("mariadb", "10.11.6-MariaDB-0+deb12u1", date(2028, 2, 16)),
        ("dsm", "7.2.2-72806", date(2025, 12, 31)),
        ("windows", "10 22H2", date(2025, 10, 14)),
    ],
)
def test_a_system_is_known_by_the_words_it_uses(os: str, version: str, until: date) -> None:
    """The identifiers of os-release, and versions longer than those of the list."""
    found = support_of(os, version)
    assert found is not None
    assert found.until == until


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Windows 10 22H2", "Windows 10 version 22H2"),
        ("windows 11 pro 24h2", "Windows 11 version 24H2"),
        ("Windows Server 2012 R2", "Windows Server 2012 R2"),
        ("DSM 7.2.2-72806", "Synology DSM 7.2"),
        ("Windows 10 LTSC 2021", None),
        ("Windows", None),
        ("", None),
        ("un vieux Mac", None),
    ],
)
def test_a_system_is_known_as_a_person_writes_it(said: str, name: str | None) -> None:
    """What is read on a screen is enough; an edition with other dates is unknown."""
    found = support_named(said)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("os", "version"), [("debian", "99"), ("fictix", "3"), ("debian", ""), ("ubuntu", "22")]
)
def test_an_unknown_system_has_no_date(os: str, version: str) -> None:
    """Nothing is guessed from a neighbouring version: unknown is not "still mended"."""
    assert support_of(os, version) is None


def test_every_date_says_where_and_when_it_was_read() -> None:
    """Each entry has a page, a day of reading, and a day of end that a person could check."""
    for item in systems().values():
        assert item.source.startswith("https://"), item
        assert item.by, item
        assert date(2026, 1, 1) <= item.read, item
        assert date(2010, 1, 1) < item.until < date(2040, 1, 1), item
    assert support_of("postgresql", "18") is not None
    assert any(item.note.startswith("recall") for item in systems().values())
