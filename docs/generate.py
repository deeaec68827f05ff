"""Write `docs/reference` from the code. `python -m docs.generate`; a test keeps it fresh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.main

from docs import keys, keys_inventory, rules
from releve.domain.errors import EXIT_MEANING_FR, Exit
from releve.entrypoints.cli.root import command_line

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- écrit par « make docs » : ne pas modifier à la main -->\n\n"


def exit_codes() -> str:
    """The table of exit codes."""
    rows = "\n".join(f"| {int(code)} | {EXIT_MEANING_FR[code]} |" for code in Exit)
    return (
        f"{NOTICE}# Codes de sortie\n\n| code | sens |\n|---|---|\n{rows}\n| 130 | interrompu au clavier |\n"
    )


def commands() -> str:
    """Every command with its options."""
    root: Any = typer.main.get_command(command_line())
    said = "Toute commande accepte `--json` : un seul document sur la sortie, erreurs comprises."
    return "\n".join([f"{NOTICE}# Commandes\n\n{said}\n", *_below("", root)])


def _below(group: str, command: Any) -> list[str]:
    """Every command of a group, its groups' own included."""
    found = []
    for name, one in sorted(command.commands.items()):
        whole = f"{group} {name}".strip()
        found += _below(whole, one) if getattr(one, "commands", None) else [_command(whole, one)]
    return found


def _command(name: str, command: Any) -> str:
    lines = [f"## releve {name}\n", f"{(command.help or '').strip()}\n"]
    rows = []
    for item in command.params:
        said = " ".join(str(getattr(item, "help", "") or "").split())
        names = (
            ", ".join(f"`{option}`" for option in item.opts)
            if item.opts[0].startswith("-")
            else f"`{item.name.upper()}`"
        )
        if item.name != "help":
            rows.append(f"| {names} | {said} |")
    if rows:
        lines += ["| option | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def objectives() -> str:
    """The keys of the objectives file and of the answers."""
    return keys.page(NOTICE)


def inventory() -> str:
    """The keys of the plan that the audit reads."""
    return keys_inventory.page(NOTICE)


def audit_rules() -> str:
    """What the audit can name, its questions, and the ends of support that it knows."""
    return rules.page(NOTICE)


PAGES = {
    "inventory-file.md": inventory,
    "exit-codes.md": exit_codes,
    "commands.md": commands,
    "objectives-file.md": objectives,
    "audit-rules.md": audit_rules,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
