"""What audits saw, and what people said of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_statement")]

    operations = [
        migrations.CreateModel(
            name="Audit",
            fields=[
                ("id", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("value", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="AuditLook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("audit", models.CharField(db_index=True, max_length=200)),
                ("errand", models.CharField(max_length=400)),
                ("at", models.DateTimeField()),
                ("value", models.TextField()),
            ],
        ),
        migrations.AddConstraint(
            model_name="auditlook",
            constraint=models.UniqueConstraint(fields=("audit", "errand"), name="one_look_an_errand"),
        ),
        migrations.CreateModel(
            name="AuditNote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=200)),
                ("code", models.CharField(max_length=200)),
                ("subject", models.CharField(db_index=True, max_length=400)),
                ("recorded_at", models.DateTimeField()),
                ("value", models.TextField()),
            ],
        ),
    ]
