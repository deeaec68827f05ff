"""The weak points in SARIF 2.1.0 (OASIS), for the tools that follow findings from one run to the next. Pure.

level            critical: error, major: warning, minor: note
fingerprint      code and subject, the same from one audit to the next
location         the line of the plan that declares the subject; the plan itself for what it does not declare
suppression      an acceptance in force, with its reason
baselineState    new, unchanged or absent, when there is an audit before; a point that could not be looked at
                 again is unchanged, with the property notSeenAgain
notification     what could not be looked at, and rules that nothing could answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releve.cycle.audit.rule import Rule, Severity, Standing, WeakPoint
from releve.cycle.audit.trend import Trend

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {Severity.CRITICAL: "error", Severity.MAJOR: "warning", Severity.MINOR: "note"}


def sarif(
    points: Sequence[WeakPoint],
    rules: Sequence[Rule],
    *,
    version: str,
    plan: str,
    lines: Mapping[str, int],
    trend: Trend | None = None,
    unseen: Sequence[str] = (),
    finished: bool = True,
) -> dict[str, object]:
    """The log, JSON-ready.

    `plan`: the file's name as a URI; `lines`: identifier -> line (1-based) of the plan; `unseen`: what could not be looked at nor verified, in sentences; `finished`: whether the audit ended.
    """
    number = {rule.code: index for index, rule in enumerate(rules)}
    states: dict[tuple[str, str], str] = {}
    listed = list(points)
    if trend is not None:
        states = {point.key: "new" for point in trend.new} | {point.key: "unchanged" for point in trend.kept}
        states |= {point.key: "absent" for point in (*trend.mended, *trend.left)}
        states |= {point.key: "unchanged" for point in trend.unseen}
        listed += (*trend.mended, *trend.left, *trend.unseen)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Relève",
                        "version": version,
                        "language": "fr",
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": finished,
                        "toolExecutionNotifications": [
                            {"level": "warning", "message": {"text": sentence}} for sentence in unseen
                        ],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(
                        point, number, plan, lines, states, gone=trend is not None and point in trend.unseen
                    )
                    for point in listed
                ],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.mend}\n\nSources : {' ; '.join(rule.sources)}"},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _result(
    point: WeakPoint,
    number: Mapping[str, int],
    plan: str,
    lines: Mapping[str, int],
    states: Mapping[tuple[str, str], str],
    *,
    gone: bool,
) -> dict[str, object]:
    found, rule = point.weakness, point.rule
    physical: dict[str, object] = {"artifactLocation": {"uri": plan}}
    line = lines.get(found.subject) or lines.get(found.site)
    if line:
        physical["region"] = {"startLine": line}
    result: dict[str, object] = {
        "ruleId": rule.code,
        "ruleIndex": number[rule.code],
        "level": _LEVEL[rule.severity],
        "message": {"text": found.sentence},
        "locations": [
            {
                "physicalLocation": physical,
                "logicalLocations": [{"name": found.subject, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"releve/v1": f"{rule.code}:{found.subject}"},
    }
    if found.stops or gone:
        result["properties"] = {"stops": list(found.stops), "notSeenAgain": gone}
    if point.standing is Standing.ACCEPTED and point.acceptance is not None:
        said = point.acceptance
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{said.by}, le {said.on:%d/%m/%Y}, jusqu'au {said.until:%d/%m/%Y} : {said.why}",
            }
        ]
    if point.key in states:
        result["baselineState"] = states[point.key]
    return result
