"""The ledger's tables. Columns are what is searched or sorted; the rest is the value as JSON text.

JSON stands in text columns on purpose: the evidence chain hashes bytes, and a database that knows
JSON (jsonb) writes numbers and keys back in its own way.
"""

# ruff: noqa: D106, DJ001, DJ008 — a Meta explains itself; the one absent text is unique, so NULL and
# not empty; rows are never shown as text

from __future__ import annotations

from datetime import datetime

from django.db import models

ID = 200  # characters: ids of plans, runs and tasks are short words


class Tenure(models.Model):
    """Who may write a data set since which epoch. Rows are never changed nor removed."""

    data_set: models.CharField[str, str] = models.CharField(max_length=ID)
    epoch: models.BigIntegerField[int, int] = models.BigIntegerField()
    site: models.CharField[str, str] = models.CharField(max_length=ID)
    run: models.CharField[str, str] = models.CharField(max_length=ID)
    at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["data_set", "epoch"], name="one_tenure_an_epoch"),)


class Claim(models.Model):
    """The run that is about to take the next epoch of a data set."""

    data_set: models.CharField[str, str] = models.CharField(max_length=ID, primary_key=True)
    run: models.CharField[str, str] = models.CharField(max_length=ID)
    epoch: models.BigIntegerField[int, int] = models.BigIntegerField()


class Incident(models.Model):
    """An incident; `value` is the whole of it."""

    id: models.CharField[str, str] = models.CharField(max_length=ID, primary_key=True)
    declared_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    closed_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    value: models.TextField[str, str] = models.TextField()


class Run(models.Model):
    """A run of a runbook."""

    id: models.CharField[str, str] = models.CharField(max_length=ID, primary_key=True)
    runbook: models.TextField[str, str] = models.TextField()
    state: models.CharField[str, str] = models.CharField(max_length=20)
    started_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    ended_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    reason: models.TextField[str, str] = models.TextField(default="")


class Task(models.Model):
    """The record of one task of a run."""

    run: models.ForeignKey[Run, Run] = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="records"
    )
    task: models.CharField[str, str] = models.CharField(max_length=ID)
    state: models.CharField[str, str] = models.CharField(max_length=20)
    value: models.TextField[str, str] = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["run", "task"], name="one_record_a_task"),)


class Decision(models.Model):
    """A person's answer: one a person and a task."""

    run: models.ForeignKey[Run, Run] = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="answers"
    )
    task: models.CharField[str, str] = models.CharField(max_length=ID)
    by: models.CharField[str, str] = models.CharField(max_length=ID)
    value: models.TextField[str, str] = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["run", "task", "by"], name="one_answer_a_person"),)


class Contact(models.Model):
    """The last proof that a promise held, one a data set."""

    data_set: models.CharField[str, str] = models.CharField(max_length=ID, primary_key=True)
    value: models.TextField[str, str] = models.TextField()


class Suspension(models.Model):
    """A span during which the promise of a data set did not hold."""

    data_set: models.CharField[str, str] = models.CharField(max_length=ID)
    started_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    value: models.TextField[str, str] = models.TextField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["data_set", "started_at"], name="one_suspension_a_start"),
        )


class Observation(models.Model):
    """The last value of (kind, subject)."""

    kind: models.CharField[str, str] = models.CharField(max_length=ID)
    subject: models.CharField[str, str] = models.CharField(max_length=ID)
    at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    value: models.TextField[str, str] = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "subject"], name="one_observation_a_subject"),)


class Statement(models.Model):
    """What one person said of an outage. Rows are never changed nor removed; `digest` makes a repeat safe."""

    application: models.CharField[str, str] = models.CharField(max_length=ID, db_index=True)
    establishment: models.CharField[str, str] = models.CharField(max_length=ID)
    by: models.CharField[str, str] = models.CharField(max_length=ID)
    recorded_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    digest: models.CharField[str, str] = models.CharField(max_length=64, unique=True)
    value: models.TextField[str, str] = models.TextField()


class Audit(models.Model):
    """One audit: its errands are in `value`. `ended_at` NULL: interrupted, or still at work.

    `seq`: the order in which they were begun, whatever clocks said; `said`: the last note (its id) by then.
    """

    id: models.CharField[str, str] = models.CharField(max_length=ID, primary_key=True)
    started_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    ended_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    value: models.TextField[str, str] = models.TextField()
    seq: models.BigIntegerField[int, int] = models.BigIntegerField(unique=True)
    said: models.BigIntegerField[int, int] = models.BigIntegerField(default=0)


class AuditLook(models.Model):
    """What one errand of an audit brought back: facts and gaps, as JSON."""

    audit: models.CharField[str, str] = models.CharField(max_length=ID, db_index=True)
    errand: models.CharField[str, str] = models.CharField(max_length=2 * ID)
    at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    value: models.TextField[str, str] = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["audit", "errand"], name="one_look_an_errand"),)


class AuditNote(models.Model):
    """What a person answered or accepted. Rows are never changed nor removed: the last one stands."""

    kind: models.CharField[str, str] = models.CharField(max_length=ID)
    code: models.CharField[str, str] = models.CharField(max_length=ID)
    subject: models.CharField[str, str] = models.CharField(max_length=2 * ID, db_index=True)
    recorded_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    value: models.TextField[str, str] = models.TextField()


class Evidence(models.Model):
    """One entry of the chain, as it was hashed. `key` makes an append safe to repeat."""

    seq: models.BigIntegerField[int, int] = models.BigIntegerField(primary_key=True)
    at: models.CharField[str, str] = models.CharField(max_length=40)  # ISO 8601 in UTC, as it was hashed
    kind: models.CharField[str, str] = models.CharField(max_length=ID)
    body: models.TextField[str, str] = models.TextField()
    previous: models.CharField[str, str] = models.CharField(max_length=64)
    hash: models.CharField[str, str] = models.CharField(max_length=64)
    key: models.CharField[str | None, str | None] = models.CharField(
        max_length=2 * ID, null=True, unique=True
    )
