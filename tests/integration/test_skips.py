"""The rule of named skips (tests/conftest.py), tried on a small run of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = next(parent for parent in Path(__file__).resolve().parents if parent.name == "tests")

CASES = """
import pytest
from tests.conftest import needs

def test_named(): pytest.skip("netns: no kernel for it")
def test_helper(): needs("impossible")
@pytest.mark.needs("impossible")
def test_mark(): assert False, "it must not run"
@pytest.mark.needs("possible")
def test_possible(): pass
@pytest.mark.xfail(reason="known")
def test_xfail(): assert False
"""

UNNAMED = """
import pytest
def test_slow(): pytest.skip("too slow today")
def test_bare(): pytest.skip("netns")
@pytest.mark.skip(reason="magnetic storm: today")
def test_marked(): pass
def test_good(): pass
"""

FEATURES = """
from tests.features import _LOOKS, allowed
_LOOKS["impossible"] = lambda: "never there"
_LOOKS["possible"] = lambda: ""
"""


def _run(folder: Path, cases: str) -> tuple[int, str]:
    """Exit code and report of a run of `cases` under our conftest."""
    tests = folder / "tests"
    tests.mkdir()
    (tests / "__init__.py").write_text("")
    for name in ("conftest.py", "features.py", "systemd.py", "waiting.py"):
        shutil.copy(TESTS / name, tests)
    (tests / "conftest.py").write_text((tests / "conftest.py").read_text() + FEATURES)
    (tests / "allowed_skips.txt").write_text("# comment\nnetns   # why\nimpossible\npossible\n")
    (folder / "pytest.ini").write_text(
        "[pytest]\npythonpath = .\nmarkers =\n    needs(feature)\naddopts = --import-mode=importlib -p no:randomly\n"
    )
    (tests / "test_cases.py").write_text(cases)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rfEs", str(tests)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_named_skips_pass(tmp_path: Path) -> None:
    """Skips that begin with a listed feature are skips, by mark, helper or hand; so are expected failures."""
    code, said = _run(tmp_path, CASES)
    assert code == 0, said
    assert "1 passed, 3 skipped, 1 xfailed" in said


def test_any_other_skip_fails_the_run(tmp_path: Path) -> None:
    """A skip without a listed name fails, in a test or by a mark; so does a name without its reason."""
    code, said = _run(tmp_path, UNNAMED)
    assert code == 1, said
    assert said.count("no name of tests/allowed_skips.txt: ") >= 3
    assert "2 failed, 1 passed, 1 error" in said  # a mark skips before the test: an error of its setup


def test_a_file_that_skips_itself_fails_the_run(tmp_path: Path) -> None:
    """A whole file that is skipped without a listed name is an error of the run."""
    code, said = _run(tmp_path, "import pytest\npytest.importorskip('releve_nothing')\ndef test_a(): pass")
    assert code != 0
    assert "1 error" in said
