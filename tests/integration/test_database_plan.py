"""A database of the plan whose history is kept in a vault: by the relief's worker, from its own standby."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, bases
from releve.adapters.engines.postgresql.archive.restore import known
from releve.adapters.vault.repository import open_vault
from releve.adapters.vault.store import FolderStore
from releve.app import house, utc_now
from releve.cycle.plan.load import read_plan
from releve.cycle.protect.act import protect
from releve.demo import plan_text
from releve.demo.estate import Estate
from releve.entrypoints.cli.rulings import lists_beside
from releve.entrypoints.story import PRIMARY, RELIEF, Scene, resident


def releve(*argv: str) -> dict[str, object]:
    """A command as a user runs it; its JSON. Fails the test with what it said."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "releve", *argv, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_the_relief_keeps_the_history_of_a_database_across_a_switch(tmp_path: Path) -> None:
    """A first base by itself, WAL from the standby, then from the promoted server; what was written comes back."""
    with ExitStack() as stack:
        estate = Estate(tmp_path / "estate", share=True)
        stack.callback(estate.cleanup)
        estate.create()
        text = plan_text.plan_text(estate.layout)
        for part in (plan_text._share, plan_text._file_server):  # a database alone, and a vault
            text = text.replace(part(estate.layout), "")
        text = text.replace("    engine: postgresql\n", "    engine: postgresql\n    vault: coffre\n")
        estate.plan.write_text(text)
        home = house(read_plan(str(estate.plan)), RELIEF)
        scene = Scene(estate, home, stack, str, resident)
        estate.start_site(PRIMARY)
        estate.start_site(RELIEF)
        estate.init_database()
        item = home.plan.data_set("dossiers")
        protect(item, home.engines["dossiers"], home.ledger, utc_now, str)
        _write(estate, PRIMARY, "une première écriture")  # by which a standby knows the time
        own = str(Path(estate.layout.site(RELIEF).state, "databases", "dossiers"))
        address = str(estate.layout.vault)
        assert lists_beside(home.plan, RELIEF, address, "") == ["--beside", own]
        assert lists_beside(home.plan, RELIEF, address, own) == []
        assert lists_beside(home.plan, RELIEF, "ailleurs", "") == []
        scene.start_owner()
        scene.start_guard()
        secret = estate.layout.secret(plan_text.VAULT_KEY)
        vault = [str(estate.layout.vault), "-k", f"file:{secret}"]
        kept = open_vault(FolderStore(estate.layout.vault), secret.read_text().strip())
        catalogue = Catalogue(kept, "dossiers")
        state = Path(estate.layout.site(RELIEF).state, "databases", "dossiers")

        def based() -> bool:
            return bool(bases(catalogue.look()) and known(kept, "dossiers").windows)

        scene.wait_for(based, "la première base")
        assert releve("database", "times", "--database", "dossiers", *vault)["windows"]
        scene.wait_for((state / "verified.json").exists, "l'essai de ce qui est gardé")

        def history() -> dict[str, Any]:
            (seen,) = releve("status", "--plan", str(estate.plan))["data_sets"]  # type: ignore[misc]
            return dict(seen["history"])

        scene.wait_for(lambda: not history()["troubles"], "une histoire sans reproche")
        assert history()["verified_at"] > history()["base_ready_at"]
        run = str(scene.order("launch", direction="switch", target=RELIEF, incident="", words={})["run"])
        scene.end_of(run)
        told = state / "archive.json"
        scene.wait_for(lambda: json.loads(told.read_text())["timeline"] == 2, "le journal de la base promue")
        _write(estate, RELIEF, "après la bascule")
        written = utc_now()
        scene.wait_for(
            lambda: (json.loads(told.read_text())["safe_until"] or "") > written.isoformat(), "l'archivage"
        )
        bin_dir = ["--bin-dir", estate.layout.bin_dir, "--os-user", estate.layout.os_user]
        found = releve("database", "verify", "--database", "dossiers", *bin_dir, *vault)
        assert found["timeline"] == 2


def _write(estate: Estate, site: str, text: str) -> None:
    import psycopg

    with psycopg.connect(estate.dsn(site)) as link:
        link.execute(
            "INSERT INTO transmissions (id, author, resident, text, seq) VALUES (gen_random_uuid(), 'x', 'y', %s, 1)",
            (text,),
        )
