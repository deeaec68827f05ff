"""What people said of outages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("application", models.CharField(db_index=True, max_length=200)),
                ("establishment", models.CharField(max_length=200)),
                ("by", models.CharField(max_length=200)),
                ("recorded_at", models.DateTimeField()),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("value", models.TextField()),
            ],
        ),
    ]
