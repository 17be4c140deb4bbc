"""training from verdicts: rules, retrainings, and the labels that went into each

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "retraining_rules",
        *_owned("retraining_rules"),
        sa.Column("plan", _JSON, nullable=False),
        sa.Column("min_labels", sa.BigInteger(), nullable=True),
        sa.Column("on_drift", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        _time("changed_at"),
        sa.UniqueConstraint("tenant_id", "modality", name=op.f("uq_retraining_rules_tenant_id_modality")),
    )
    op.create_table(
        "retrainings",
        *_owned("retrainings"),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("evidence", _JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("plan", _JSON, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("counts", _JSON, nullable=True),
        _time("created_at"),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint("cause IN ('asked', 'labels', 'drift')", name=op.f("ck_retrainings_cause")),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_retrainings_ended")),
        sa.ForeignKeyConstraint(["run_id"], ["training_runs.id"], name=op.f("fk_retrainings_run_id_training_runs")),
        sa.UniqueConstraint("run_id", name=op.f("uq_retrainings_run_id")),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_retrainings_open", "retrainings", ["tenant_id", "modality"], unique=True, postgresql_where=is_open
    )
    op.create_index("ix_retrainings_tenant_id_id", "retrainings", ["tenant_id", "id"])
    op.create_table(
        "retraining_labels",
        sa.Column("retraining_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("adjudicated", sa.Boolean(), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        *(
            sa.ForeignKeyConstraint([own], [f"{other}.id"], name=op.f(f"fk_retraining_labels_{own}_{other}"))
            for own, other in (("retraining_id", "retrainings"), ("job_id", "jobs"), ("tenant_id", "tenants"))
        ),
        sa.PrimaryKeyConstraint("retraining_id", "job_id", name=op.f("pk_retraining_labels")),
    )
    op.create_index(op.f("ix_retraining_labels_job_id"), "retraining_labels", ["job_id"])


def downgrade() -> None:
    for table in ("retraining_labels", "retrainings", "retraining_rules"):
        op.drop_table(table)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _owned(table: str) -> list[sa.schema.SchemaItem]:
    owners = {"tenant_id": "tenants", "principal_id": "principals"}
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        *(
            sa.ForeignKeyConstraint([own], [f"{other}.id"], name=op.f(f"fk_{table}_{own}_{other}"))
            for own, other in owners.items()
        ),
    ]
