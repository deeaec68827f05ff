"""What the audits' ledger says when it is asked for what it does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.adapters.ledger import open_ledger
from releve.domain.errors import BadInput


def test_an_unknown_audit_names_the_command_that_lists_them(tmp_path: Path) -> None:
    """The hint is a command that exists."""
    with pytest.raises(BadInput) as refused:
        open_ledger(tmp_path).audits.looks("jamais-fait")
    assert "releve audit list" in refused.value.hint
