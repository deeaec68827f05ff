"""Audits in the order in which they were begun: a clock that was wrong for a day hides nothing."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def number(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Number what is there. Looks were numbered as they came; an audit without any stays where its date puts it."""
    alias = editor.connection.alias
    first: dict[str, int] = {}
    looks = apps.get_model("ledger", "AuditLook").objects.using(alias).order_by("id")
    for look, audit in looks.values_list("id", "audit"):
        first.setdefault(audit, look)
    audits = apps.get_model("ledger", "Audit").objects.using(alias)
    notes = apps.get_model("ledger", "AuditNote").objects.using(alias)
    rows = list(audits.order_by("started_at", "id"))
    looked = iter(sorted((row for row in rows if row.id in first), key=lambda row: first[row.id]))
    ordered = [next(looked) if row.id in first else row for row in rows]
    by_then = notes.count() and notes.order_by("-id").first().id
    for seq in range(len(ordered), 0, -1):  # from the last: no audit knows more than the next
        row = ordered[seq - 1]
        last = notes.filter(recorded_at__lte=row.started_at).order_by("-id").first()
        by_then = min(by_then, last.id if last else 0)
        audits.filter(id=row.id).update(seq=seq, said=by_then)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_audit")]

    operations = [
        migrations.AddField("audit", "seq", models.BigIntegerField(null=True)),
        migrations.AddField("audit", "said", models.BigIntegerField(default=0)),
        migrations.RunPython(number, migrations.RunPython.noop),
        migrations.AlterField("audit", "seq", models.BigIntegerField(unique=True)),
    ]
