"""A first plan, written from the catalogue for a kind of establishment. Pure: text out.

It is complete and right on the day it is written, so that `releve plan check` passes; what is still
to be said (phone numbers, real addresses, settled durations) shows as remarks and as comments. Its
addresses are of the range kept for documentation (RFC 5737): nothing real is ever reached by it.
"""

from __future__ import annotations

import json

from releve.cycle.plan.catalogue import Catalogue, Entry, Profile, catalogue

_HEAD = """\
# Plan de reprise d'activité — {name}
# Premier plan, profil : {profile}. Écrit par « releve init {key} ».
#
# Comment le lire : chaque bloc commence par un mot à gauche. Une ligne qui commence par « # » est
# une explication. Les retraits comptent (deux espaces par niveau).
#
# « valeur proposée » : personne ne l'a encore décidée chez vous. Demandez aux utilisateurs, changez
# la valeur s'il le faut, puis effacez la mention.
# « à remplacer » : adresses et dossiers donnés en exemple.
#
#   releve plan check     dit tout ce qui ne va pas dans ce fichier
#   releve plan show      le montre en tableau
version: 1

association:
  name: {quoted}
  finess: "" # numéro FINESS de l'entité juridique (EJ), si vous en avez un

# Les heures de bureau : « 8 h ouvrées » ne compte que pendant ces plages.
calendars:
  - id: bureau
    timezone: Europe/Paris
    holidays: FR # FR-57 en Moselle, FR-6AE en Alsace, FR-974 à La Réunion…
    open:
      mon: ["09:00-12:30", "13:30-17:00"]
      tue: ["09:00-12:30", "13:30-17:00"]
      wed: ["09:00-12:30", "13:30-17:00"]
      thu: ["09:00-12:30", "13:30-17:00"]
      fri: ["09:00-12:30", "13:30-17:00"]
    # closed: [{{from: 2026-08-01, to: 2026-08-21, name: "fermeture d'août"}}] # premier et dernier jour fermés
    # school: B # fermé aussi pendant les vacances scolaires de la zone (IME, ITEP) : A, B ou C

# Les lieux. Le secours est ailleurs : un incendie ne doit pas emporter les deux.
# Si une société héberge un site, nommez-la ; pour des données de santé, son certificat HDS est
# obligatoire (code de la santé publique, art. L1111-8) :
#   hosted_by: "Hébergeur"
#   hds: {{number: "…", valid_until: 2027-12-31}}
sites:
  - id: principal
    name: Site principal
    role: primary
    address: ""
    # Le programme résident du site : l'adresse par laquelle l'autre site l'interroge (à remplacer).
    worker: {{listen: "192.0.2.10:7401", state: /var/lib/releve, secret: "file:/etc/releve/link.key"}}
  - id: secours
    name: Site de secours
    role: relief
    address: ""
    worker: {{listen: "198.51.100.10:7401", state: /var/lib/releve, secret: "file:/etc/releve/link.key"}}

# Les machines, et comment Relève les atteint (à remplacer).
hosts:
  - id: srv1
    site: principal
    reach: ssh
    ssh: {{address: 192.0.2.10, port: 22, user: releve, key: /etc/releve/id_ed25519, known_hosts: /etc/releve/known_hosts}}
  - id: srv2
    site: secours
    reach: ssh
    ssh: {{address: 198.51.100.10, port: 22, user: releve, key: /etc/releve/id_ed25519, known_hosts: /etc/releve/known_hosts}}

# Les personnes, par leur fonction. Le téléphone est ce qui compte le jour de la panne.
contacts:
  - {{id: directrice, name: Directrice, role: "décide de la bascule", phone: "", email: ""}}
  - {{id: soins, name: Responsable des soins et de l'accompagnement, role: "répond du dossier de l'usager", phone: "", email: ""}}
  - {{id: administratif, name: Responsable administratif et financier, role: "répond de la paie et des comptes", phone: "", email: ""}}
  - {{id: technicien, name: Technicien, role: "conduit la bascule", phone: "", email: ""}}
"""

_DATA_SET = """
# Les données copiées sur le site de secours. Les critiques (dossiers des usagers, comptabilité) le
# sont en temps réel : une écriture confirmée à l'utilisateur est déjà des deux côtés (rpo: 0).
# Une copie en temps réel n'est pas une sauvegarde : elle recopie aussi les erreurs. Gardez les deux.
data_sets:
  - id: {id}
    name: {name}
    engine: postgresql
    kind: {kind}
    sensitivity: critical
    protection:
      mode: realtime
      rpo: 0
      on_relief_lost: {{degrade_after: 30 s}} # si le secours tombe, le travail continue (ou : wait)
      slot_limit: 2 Go # place gardée sur le disque pour un secours absent
      transport: tls # les données ne traversent jamais le réseau en clair
    # Un serveur PostgreSQL de Debian de chaque côté (à remplacer). Jamais de mot de passe ici :
    # seulement l'endroit où il se trouve (file:, env: ou command:).
    primary:
      host: srv1
      address: 192.0.2.10
{end}    relief:
      host: srv2
      address: 198.51.100.10
{end}"""

_END = """\
      port: 5432
      database: {database}
      data_dir: /var/lib/postgresql/15/main
      bin_dir: /usr/lib/postgresql/15/bin
      os_user: postgres
      socket_dir: /var/run/postgresql
      tls_root: /etc/releve/ca.pem
      admin: {{user: postgres, password: "file:/etc/releve/pg-admin.pw"}}
      replication: {{user: releve_replication, password: "file:/etc/releve/pg-replication.pw"}}
      service: {{manager: pg_ctlcluster, version: "15", cluster: main}}
"""

_APPLICATIONS = """
# Les applications, dans l'ordre où elles doivent revenir.
#   tolerance   ce que disent les utilisateurs : combien de temps on peut s'en passer (rto), combien
#               de données on peut perdre (rpo ; absent quand il n'y a rien à perdre)
#   commitment  ce que promet le technicien ou le fournisseur : {rto: 2 h, rpo: 0}
#   needs       les applications sans lesquelles celle-ci ne marche pas
#   without_it  comment travailler sans elle ; do_not : ce qu'il ne faut surtout pas faire
applications:
"""

_INSTANCE = """\
    # Relève bascule cette application : une instance par site (à remplacer).
    health: [{{path: /sante, expect: 200}}]
    primary:
      host: srv1
      url: "http://192.0.2.10:8001"
      service: {{manager: systemd, unit: {id}.service}}
      gate: {{kind: file, path: /run/{id}/open}}
    relief:
      host: srv2
      url: "http://198.51.100.10:8001"
      service: {{manager: systemd, unit: {id}.service}}
      gate: {{kind: file, path: /run/{id}/open}}
"""

_APPROVALS = """
# Qui répond quand Relève pose une question. Sans réponse à temps, c'est non.
approvals:
  fence: {people: 1, who: [directrice, technicien], deadline: 1 h} # « l'ancien serveur est-il bien arrêté ? »
  accept-loss: {people: 2, who: [directrice, soins, administratif, technicien], deadline: 1 h} # « accepter cette perte ? »
"""

_PROTECTED = {
    "DUI": {"id": "dossiers", "name": "Dossiers des usagers", "kind": "health"},
    "COMPTA": {"id": "comptabilite", "name": "Comptabilité", "kind": "accounting"},
}


def first_plan(profile: str, association_name: str) -> str:
    """The text of a first plan. Raises BadInput for an unknown profile.

    `profile`: ehpad, foyer, ime, esat, ssiad, siège. Every duration comes from the catalogue and is
    marked "valeur proposée".
    """
    known = catalogue()
    chosen = known.profile(profile)
    name = " ".join(association_name.split()) or "Association"
    data = _PROTECTED[chosen.protected]
    head = _HEAD.format(name=name, quoted=_quoted(name), profile=chosen.name, key=chosen.key)
    data_set = _DATA_SET.format(**data, end=_END.format(database=data["id"]))
    applications = "\n".join(_application(entry, chosen, known) for entry in known.chosen(chosen))
    return head + data_set + _APPLICATIONS + applications + _APPROVALS


def _quoted(text: str) -> str:
    """A text between double quotes; JSON's are YAML's."""
    return json.dumps(text, ensure_ascii=False)


def _application(entry: Entry, profile: Profile, known: Catalogue) -> str:
    app_id = entry.code.lower()
    protected = entry.code == profile.protected
    lines = [
        f"  - id: {app_id}",
        f"    name: {_quoted(entry.name)}",
        f"    owner: {known.owners[entry.family]}",
    ]
    if entry.needs:
        lines.append(f"    needs: [{', '.join(code.lower() for code in entry.needs)}]")
    if protected:
        lines.append(f"    data: [{_PROTECTED[entry.code]['id']}]")
    lines.append(f"    tolerance: {_tolerance(entry, profile)} # valeur proposée")
    if entry.rto_critical:
        lines.append(
            f"    # en période critique ({entry.critical_period}) : {entry.rto_critical}, valeur proposée"
        )
    lines.append(f"    without_it: {_quoted(entry.without_it)}")
    lines.append("    do_not:")
    lines.extend(f"      - {_quoted(line)}" for line in known.do_not[entry.family])
    text = "\n".join(lines) + "\n"
    return text + _INSTANCE.format(id=app_id) if protected else text


def _tolerance(entry: Entry, profile: Profile) -> str:
    rto = entry.rto if profile.night or not entry.rto_by_day else entry.rto_by_day
    calendar = ", calendar: bureau" if "ouvré" in rto else ""
    rpo = f", rpo: {entry.rpo}" if entry.rpo else ""
    return f"{{rto: {rto}{rpo}{calendar}}}"
