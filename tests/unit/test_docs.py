"""The documents say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import audit_page, objectives_schedule
from bench import objectives as bench_objectives
from bench import page as bench_page
from bench import shares as bench_shares
from bench import vault as bench_vault
from docs.generate import FOLDER, PAGES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_reference_is_fresh(name: str) -> None:
    """A generated page equals what the code would write now (`make docs`)."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_paths_named_in_the_architecture_exist() -> None:
    """Every file or folder that the map names in a table is really there."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `((?:domain|cycle|adapters|entrypoints|demo|docs)/[\w/.]*)`", text)
    assert len(named) > 10
    for path in named:
        assert (ROOT / path).exists() or (ROOT / "src" / "releve" / path).exists(), path


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link of a Markdown file points to a file of the repository."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert len(pages) > 10
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_bench_page_shows_the_newest_result() -> None:
    """`docs/reference/bench.md` is what the newest file of raw values gives, to the letter."""
    newest = max((ROOT / "bench" / "results").glob("*.json"))
    result = json.loads(newest.read_text(encoding="utf-8"))
    assert bench_page.PAGE.read_text(encoding="utf-8") == bench_page.page(result, newest.name)


def test_the_page_of_the_objectives_shows_the_newest_result() -> None:
    """The same for `docs/reference/bench-objectives.md`."""
    newest = max(objectives_schedule.RESULTS.glob("*Z.json"))
    result = json.loads(newest.read_text(encoding="utf-8"))
    page = objectives_schedule.PAGE.read_text(encoding="utf-8")
    assert page == bench_objectives.page(result, newest.name)


def test_the_page_of_the_vault_shows_the_newest_result() -> None:
    """The same for `docs/reference/bench-vault.md`."""
    newest = max(bench_vault.RESULTS.glob("*.json"))
    result = json.loads(newest.read_text(encoding="utf-8"))
    assert bench_vault.PAGE.read_text(encoding="utf-8") == bench_vault.page(result, newest.name)


def test_the_page_of_the_shares_shows_the_newest_result() -> None:
    """The same for `docs/reference/bench-shares.md`."""
    newest = max(bench_shares.RESULTS.glob("*.json"))
    result = json.loads(newest.read_text(encoding="utf-8"))
    assert bench_shares.PAGE.read_text(encoding="utf-8") == bench_shares.page(result, newest.name)


def test_the_page_of_the_audit_shows_the_newest_results() -> None:
    """The same for `docs/reference/bench-audit.md`, from its three folders."""
    assert audit_page.PAGE.read_text(encoding="utf-8") == audit_page.page()


def test_every_test_that_a_concept_names_exists() -> None:
    """A promise that names its test names one that is there."""
    known = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {
        name
        for path in (ROOT / "docs" / "concepts").glob("*.md")
        for name in re.findall(r"`(test_\w+)`", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert named <= known, named - known
