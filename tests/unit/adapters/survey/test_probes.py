"""What is sent to other machines keeps to what they have."""

from __future__ import annotations

import ast
import sys
from importlib.resources import files

import pytest

PROBES = files("releve.adapters.survey.probes")
NAMES = ("inventory", "reading")


@pytest.mark.parametrize("name", NAMES)
def test_a_probe_is_one_file_of_python_3_8_and_its_standard_library(name: str) -> None:
    """Its syntax is that of Python 3.8, and it imports nothing that such a Python lacks."""
    tree = ast.parse((PROBES / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 8))
    modules = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert "os" in modules
    assert modules <= sys.stdlib_module_names
