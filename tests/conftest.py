"""Skips are named: a test says what it needs of the machine, and any other skip fails the run."""

from __future__ import annotations

import os
import random
from collections.abc import Generator

import pytest

from tests.features import allowed, missing


def needs(*features: str) -> None:
    """Skip the test that runs when the machine lacks one of `features` (tests/allowed_skips.txt)."""
    for feature in features:
        if why := missing(feature):
            pytest.skip(f"{feature}: {why}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("root", "netns")`, before any fixture is made."""
    for mark in item.iter_markers("needs"):
        needs(*mark.args)


def _named(reason: str) -> bool:
    feature, colon, why = reason.removeprefix("Skipped: ").partition(":")
    return bool(colon and why.strip()) and feature in allowed()


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not _named(reason):
        report.outcome = "failed"
        report.longrepr = f"a skip whose reason begins with no name of tests/allowed_skips.txt: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip that is not on the list into a failure."""
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that skips itself."""
    report = yield
    _judge(report)
    return report


def pytest_configure(config: pytest.Config) -> None:
    """One seed for every process of the run, so that all draw the same sample; printed at the start."""
    os.environ.setdefault("RELEVE_SEED", str(random.SystemRandom().randrange(1, 10**6)))


def pytest_report_header(config: pytest.Config) -> str:
    """The seed with which this run can be done again."""
    return f"RELEVE_SEED={os.environ['RELEVE_SEED']}"
