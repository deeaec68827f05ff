"""Located nodes -> blocks of the schema, and what is wrong with each block by itself. Pure.

Every block is judged alone, so that one wrong block hides nothing of the others. A block with only
unknown keys is still handed on; one with a wrong value is left out of the draft, and the rules stay
silent about what they cannot see: one mistake, one fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from releve.cycle.plan.blocks import Block, Placed, block, decimal_commas, listed, sections, version
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.inventory import (
    AuditBlock,
    EquipmentBlock,
    FlowBlock,
    HoldingBlock,
    LinkBlock,
    NetworkBlock,
    SocketBlock,
    SupplierBlock,
)
from releve.cycle.plan.schema import (
    ENGINES,
    LISTS,
    REQUIRED,
    SECTIONS,
    ApplicationBlock,
    ApprovalBlock,
    AssociationBlock,
    CalendarBlock,
    ContactBlock,
    DataSetBlock,
    HostBlock,
    ShareBlock,
    SiteBlock,
    VaultBlock,
)
from releve.cycle.plan.source import Mapping, Node, Path, Scalar, Sequence, find, is_null


@dataclass(slots=True)
class Draft:
    """The blocks that could be read. `root` keeps everything that was written."""

    root: Mapping
    association: AssociationBlock | None = None
    calendars: list[Placed[CalendarBlock]] = field(default_factory=list)
    sites: list[Placed[SiteBlock]] = field(default_factory=list)
    hosts: list[Placed[HostBlock]] = field(default_factory=list)
    contacts: list[Placed[ContactBlock]] = field(default_factory=list)
    vaults: list[Placed[VaultBlock]] = field(default_factory=list)
    data_sets: list[Placed[DataSetBlock | ShareBlock]] = field(default_factory=list)
    applications: list[Placed[ApplicationBlock]] = field(default_factory=list)
    networks: list[Placed[NetworkBlock]] = field(default_factory=list)
    links: list[Placed[LinkBlock]] = field(default_factory=list)
    equipment: list[Placed[EquipmentBlock]] = field(default_factory=list)
    sockets: list[Placed[SocketBlock]] = field(default_factory=list)
    suppliers: list[Placed[SupplierBlock]] = field(default_factory=list)
    flows: list[Placed[FlowBlock]] = field(default_factory=list)
    holdings: list[Placed[HoldingBlock]] = field(default_factory=list)
    approvals: dict[str, Placed[ApprovalBlock]] = field(default_factory=dict)
    audit: AuditBlock | None = None

    def whole(self, section: str) -> bool:
        """Whether every block of a list could be read: only then may a rule say "there is none"."""
        node = self.root.entries.get(section)
        written = len(node.items) if isinstance(node, Sequence) else 0
        return (node is None or isinstance(node, Sequence)) and len(getattr(self, section)) == written


def shape(root: Node) -> tuple[Draft, list[Finding]]:
    """The draft and the findings. A `root` that is not a mapping gives an empty draft."""
    if not isinstance(root, Mapping):
        finding = Finding(
            (),
            "wrong-type",
            "un plan est un bloc « clé: valeur »",
            "releve init écrit un premier plan commenté",
        )
        return Draft(Mapping(root.mark)), [finding]
    draft = Draft(root)
    findings = list(sections(root, "le plan", SECTIONS, REQUIRED))
    findings += version(root, 1)
    findings += decimal_commas(root)
    if "association" in root.entries:
        draft.association, found = block(root, ("association",), AssociationBlock)
        findings += found
    for section, model in LISTS.items():
        items, found = listed(root, section, _model_of(root, model))
        getattr(draft, section).extend(items)
        findings += found
    findings += _approvals(draft)
    if "audit" in root.entries:
        draft.audit, found = block(root, ("audit",), AuditBlock)
        findings += found
    return draft, findings


def _model_of(root: Node, model: type[Block]) -> Callable[[Path], type[Block]]:
    """What a block is judged by: the engine of a data set says how it is written."""

    def of(path: Path) -> type[Block]:
        engine = find(root, (*path, "engine"))
        return ENGINES.get(engine.text.strip() if isinstance(engine, Scalar) else "", model)

    return of if model is DataSetBlock else lambda _path: model


def _approvals(draft: Draft) -> list[Finding]:
    node = draft.root.entries.get("approvals")
    if node is None or is_null(node):
        return []
    if not isinstance(node, Mapping):
        return [
            Finding(("approvals",), "wrong-type", "« approvals » : un bloc « question: {…} » est attendu", "")
        ]
    findings: list[Finding] = []
    for question in node.entries:
        item, found = block(draft.root, ("approvals", question), ApprovalBlock)
        findings += found
        if item is not None:
            draft.approvals[question] = Placed(item, ("approvals", question))
    return findings
