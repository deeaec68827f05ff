"""`releve audit rules`: what can be named, why, from which text, and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from releve.domain.errors import BadInput
from releve.domain.names import nearest
from releve.entrypoints.cli.telling import Answer, columns

if TYPE_CHECKING:
    from releve.cycle.audit.rule import Rule


def rules(code: str) -> Answer:
    """One rule whole, or the list. Raises `BadInput` for an unknown code."""
    from releve.cycle.audit.rule import SEVERITY_FR
    from releve.cycle.audit.rules import RULES
    from releve.cycle.plan.grid import folded, grid

    known = {rule.code: rule for rule in RULES}
    if not code:
        rows = [(rule.code, SEVERITY_FR[rule.severity], rule.title) for rule in RULES]
        text = grid(("code", "gravité", "ce qu'elle nomme"), rows, width=columns())
        return Answer({"rules": [_value(rule) for rule in RULES]}, text)
    if code.upper() not in known:
        raise BadInput("rule-unknown", f"règle inconnue : « {code} »", hint=nearest(code.upper(), known, ""))
    rule = known[code.upper()]
    text = "\n".join(
        [
            f"{rule.code}  {SEVERITY_FR[rule.severity]} : {rule.title}",
            f"pourquoi : {rule.why}",
            f"remède : {rule.mend}",
            f"sources : {' ; '.join(rule.sources)}",
        ]
    )
    return Answer({"rules": [_value(rule)]}, folded(text, columns()))


def _value(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "severity": rule.severity.value,
        "title": rule.title,
        "why": rule.why,
        "sources": list(rule.sources),
        "mend": rule.mend,
        "looks": [topic.value for topic in rule.topics],
    }
