"""The plan of the demo estate, as the text a person would have written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from releve.demo import supctl
from releve.demo.layout import PRIMARY, RELIEF, Layout, SiteLayout

DATABASE = "dossiers"
ADMIN = "postgres"
REPLICATION = "releve_replication"
POSTGRESQL = "postgresql"  # names of the supervisor's programs
APPLICATION = "dossier"
DOCUMENTS = "documents"
VAULT_KEY = "coffre.cle"
SHARE_RPO = 5.0  # seconds: what the demo's plan promises of its documents

_HOSTS = {PRIMARY: "srv-principal", RELIEF: "srv-secours"}


def plan_text(layout: Layout) -> str:
    """The plan in YAML. Every person, address and figure in it is fictional."""
    principal, relief = layout.site(PRIMARY), layout.site(RELIEF)
    return f"""\
# Le plan de reprise de la démonstration. Tout y est fictif : l'association, les personnes, les lieux.
version: 1
association: {{name: "Association fictive Les Tilleuls"}}

calendars:
  - id: bureau
    timezone: Europe/Paris
    holidays: FR
    open:
      mon: ["09:00-12:30", "13:30-17:00"]
      tue: ["09:00-12:30", "13:30-17:00"]
      wed: ["09:00-12:30", "13:30-17:00"]
      thu: ["09:00-12:30", "13:30-17:00"]
      fri: ["09:00-12:30", "13:30-16:00"]

sites:
  - id: {PRIMARY}
    name: Siège (salle informatique)
    role: primary
    address: 1 rue des Tilleuls, Ville-Exemple
    worker: {_worker(layout, principal)}
  - id: {RELIEF}
    name: Foyer (local de secours)
    role: relief
    address: 8 chemin du Verger, Bourg-Exemple
    worker: {_worker(layout, relief)}

hosts:
  # « root » est le disque du site : s'il n'est plus là, la machine est tenue pour perdue.
  - {{id: {_HOSTS[PRIMARY]}, site: {PRIMARY}, reach: local, root: {_text(principal.folder)}}}
  - {{id: {_HOSTS[RELIEF]}, site: {RELIEF}, reach: local, root: {_text(relief.folder)}}}

contacts:
  - {{id: directrice, name: "Directrice", role: "décide de la bascule", phone: "00 00 00 00 01", email: directrice@exemple.invalid}}
  - {{id: technicien, name: "Technicien", role: "exécute la bascule", phone: "00 00 00 00 02", email: technicien@exemple.invalid}}

{_vaults(layout)}data_sets:
  - id: dossiers
    name: Dossiers des usagers
    engine: postgresql
    kind: health
    sensitivity: critical
    protection:
      mode: realtime
      rpo: 0
      on_relief_lost: {{degrade_after: 30 s}}
      slot_limit: 1 Go
      transport: local  # les deux sites de la démonstration sont sur cette machine
    primary:
{_server(layout, principal)}
    relief:
{_server(layout, relief)}
{_share(layout)}
applications:
  - id: dui
    name: Dossier de l'usager informatisé
    owner: directrice
    data: [dossiers]
    tolerance: {{rto: 15 min, rpo: 0}}
    commitment: {{rto: 1 min, rpo: 0}}
    health: [{{path: /sante/ecriture, expect: 200}}]
    without_it: Noter les transmissions sur le cahier de secours de chaque unité, avec l'heure et la fonction.
    do_not:
      - Ne pas noter les transmissions sur une messagerie ou un téléphone personnel.
      - Ne pas rallumer l'ancien serveur sans l'accord du technicien.
    primary: {_instance(principal, APPLICATION, principal.url, principal.gate)}
    relief: {_instance(relief, APPLICATION, relief.url, relief.gate)}
{_file_server(layout)}  - id: messagerie
    name: Messagerie
    owner: directrice
    tolerance: {{rto: 8 h ouvrées, rpo: 1 j, calendar: bureau}}
    commitment: {{rto: 8 h ouvrées, rpo: 1 j, calendar: bureau}}
    without_it: Téléphoner ; garder une trace écrite de ce qui compte.
    do_not: [Ne pas envoyer de données de santé depuis une adresse personnelle.]

approvals:
  fence: {{people: 1, who: [directrice, technicien], deadline: 1 h}}
  accept-loss: {{people: 2, who: [directrice, technicien], deadline: 1 h}}
"""


def service_argv(site: SiteLayout, verb: str, program: str) -> list[str]:
    """The command that starts, stops or questions a program of the site."""
    return [sys.executable, "-I", "-S", str(Path(supctl.__file__)), str(site.supervisor), verb, program]


def _text(value: object) -> str:
    """A scalar in double quotes: JSON's are YAML's."""
    return json.dumps(str(value), ensure_ascii=False)


def _service(site: SiteLayout, program: str) -> str:
    verbs = ", ".join(
        f"{verb}: {json.dumps(service_argv(site, verb, program), ensure_ascii=False)}"
        for verb in ("start", "stop", "status")
    )
    return f"{{manager: command, {verbs}}}"


def _worker(layout: Layout, site: SiteLayout) -> str:
    listen, state, key = f"127.0.0.1:{site.ports.worker}", _text(site.state), layout.secret("link.key")
    return f'{{listen: "{listen}", state: {state}, secret: {_text(f"file:{key}")}}}'


def _server(layout: Layout, site: SiteLayout) -> str:
    admin, replication = layout.secret("admin.pw"), layout.secret("replication.pw")
    lines = (
        f"host: {_HOSTS[site.id]}",
        "address: 127.0.0.1",
        f"port: {site.ports.database}",
        f"database: {DATABASE}",
        f"data_dir: {_text(site.data_dir)}",
        f"bin_dir: {_text(layout.bin_dir)}",
        f"os_user: {_text(layout.os_user)}",
        f"socket_dir: {_text(site.socket_dir)}",
        f"admin: {{user: {ADMIN}, password: {_text(f'file:{admin}')}}}",
        f"replication: {{user: {REPLICATION}, password: {_text(f'file:{replication}')}}}",
        f"service: {_service(site, POSTGRESQL)}",
    )
    return "\n".join(f"      {line}" for line in lines)


def _instance(site: SiteLayout, program: str, url: str, gate: Path) -> str:
    return (
        f"{{host: {_HOSTS[site.id]}, url: {_text(url)}, service: {_service(site, program)}, "
        f"gate: {{kind: file, path: {_text(gate)}}}, warm: true}}"
    )


def _vaults(layout: Layout) -> str:
    if not layout.share:
        return ""
    address, key = _text(layout.vault), _text(f"file:{layout.secret(VAULT_KEY)}")
    return f"""\
# Le coffre est dans un troisième lieu : il survit à la perte de l'un ou l'autre site.
vaults:
  - id: coffre
    name: Coffre chiffré
    places:
      - {{site: {PRIMARY}, address: {address}, key: {key}}}
      - {{site: {RELIEF}, address: {address}, key: {key}}}

"""


def _share(layout: Layout) -> str:
    if not layout.share:
        return ""
    principal, relief = layout.site(PRIMARY), layout.site(RELIEF)
    return f"""\
  - id: documents
    name: Documents partagés
    engine: files
    kind: office
    sensitivity: critical
    vault: coffre
    protection: {{mode: realtime, rpo: {SHARE_RPO:.0f} s}}
    primary: {{host: {_HOSTS[PRIMARY]}, path: {_text(principal.documents)}}}
    relief: {{host: {_HOSTS[RELIEF]}, path: {_text(relief.documents)}}}
"""


def _file_server(layout: Layout) -> str:
    if not layout.share:
        return ""
    principal, relief = layout.site(PRIMARY), layout.site(RELIEF)
    return f"""\
  - id: partage
    name: Documents partagés
    owner: directrice
    data: [documents]
    tolerance: {{rto: 4 h, rpo: 1 min}}
    commitment: {{rto: 1 min, rpo: {SHARE_RPO:.0f} s}}
    health: [{{path: /sante/ecriture, expect: 200}}]
    without_it: Écrire sur le cahier de secours ; les documents utiles la nuit sont imprimés chaque semaine.
    do_not: [Ne pas enregistrer de document sur le bureau d'un poste ou une clé personnelle.]
    primary: {_instance(principal, DOCUMENTS, principal.documents_url, principal.documents_gate)}
    relief: {_instance(relief, DOCUMENTS, relief.documents_url, relief.documents_gate)}
"""
