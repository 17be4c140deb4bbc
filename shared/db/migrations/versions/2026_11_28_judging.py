"""verdicts name their person, second readings, the review of a result and who is told of it

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_STANDING = sa.text("withdrawn_at IS NULL AND replaced_at IS NULL")
_OPEN = sa.text("state = 'open'")
_UUID7 = """
CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send(
               floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),
               'hex')::uuid
$$
"""

# What is referred goes to a second reader from the moment that it is a result, whichever statement writes it.
_REFER = """
CREATE FUNCTION refer_to_reader() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO adjudications (id, tenant_id, job_id, modality, rank)
    SELECT uuid_v7(), NEW.tenant_id, NEW.job_id, modality, 0 FROM jobs WHERE id = NEW.job_id;
    NEW.review := 'in_adjudication';
    NEW.reviewed_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER refer_to_reader BEFORE INSERT ON results FOR EACH ROW
    WHEN (NEW.decision = 'refer') EXECUTE FUNCTION refer_to_reader()
"""
_REFERRED = """
INSERT INTO adjudications (id, tenant_id, job_id, modality, rank)
SELECT uuid_v7(), r.tenant_id, r.job_id, j.modality, 0 FROM results r JOIN jobs j ON j.id = r.job_id
WHERE r.decision = 'refer' ORDER BY r.job_id;
UPDATE results SET review = 'in_adjudication', reviewed_at = now() WHERE decision = 'refer'
"""

# A review that changes is told as a job's end is: in the transaction that changed it.
_TELL = """
CREATE FUNCTION tell_reviewed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deliveries (id, tenant_id, webhook_id, event, job_id, status)
    SELECT uuid_v7(), NEW.tenant_id, w.id, 'result.reviewed', NEW.job_id, COALESCE(NEW.review, 'none')
    FROM webhooks w
    WHERE w.tenant_id = NEW.tenant_id AND w.removed_at IS NULL AND w.disabled_at IS NULL
      AND 'result.reviewed' = ANY (w.events);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_reviewed AFTER UPDATE OF review, review_label ON results FOR EACH ROW
    WHEN ((OLD.review, OLD.review_label) IS DISTINCT FROM (NEW.review, NEW.review_label))
    EXECUTE FUNCTION tell_reviewed()
"""


def upgrade() -> None:
    op.execute(_UUID7)
    _adjudications()
    _feedback()
    op.add_column("results", sa.Column("review", sa.Text(), nullable=True))
    op.add_column("results", sa.Column("review_label", sa.Text(), nullable=True))
    op.add_column("results", sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_REFERRED)
    op.execute(_REFER)
    op.execute(_TELL)


def _adjudications() -> None:
    op.create_table(
        "adjudications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("saw_result_first", sa.Boolean(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("principal_id", sa.Uuid(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'adjudicated', 'undetermined', 'withdrawn', 'replaced')",
            name=op.f("ck_adjudications_state"),
        ),
        sa.CheckConstraint("label IN ('present', 'absent')", name=op.f("ck_adjudications_label")),
        sa.CheckConstraint(
            "basis IN ('pcr', 'radiologist', 'follow_up', 'impression')", name=op.f("ck_adjudications_basis")
        ),
        sa.CheckConstraint(
            "(state IN ('adjudicated', 'replaced')) = (label IS NOT NULL)", name=op.f("ck_adjudications_settled")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_adjudications_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_adjudications_job_id_jobs")),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principals.id"], name=op.f("fk_adjudications_principal_id_principals")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudications")),
    )
    op.create_index("ix_adjudications_job_id", "adjudications", ["job_id"])
    op.create_index("uq_adjudications_open", "adjudications", ["job_id"], unique=True, postgresql_where=_OPEN)
    op.create_index("ix_adjudications_worklist", "adjudications", ["tenant_id", "state", "rank", "id"])


def _feedback() -> None:
    """Nothing could write a verdict before: what is there was put there by hand, and is completed as well as it can."""
    op.add_column("feedback", sa.Column("person", sa.Text(), nullable=True))
    op.add_column("feedback", sa.Column("saw_result_first", sa.Boolean(), nullable=True))
    op.add_column("feedback", sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("feedback", sa.Column("adjudication_id", sa.Uuid(), nullable=True))
    op.execute("""
        UPDATE feedback f SET
            saw_result_first = true, basis = COALESCE(f.basis, 'impression'),
            person = (SELECT lower(COALESCE(p.person, p.name)) FROM principals p WHERE p.id = f.principal_id),
            label = CASE WHEN f.verdict = 'unsure' THEN NULL
                         WHEN r.decision = 'refer' THEN f.label
                         WHEN (f.verdict = 'agree') = (r.decision = 'flagged') THEN 'present' ELSE 'absent' END,
            verdict = CASE WHEN f.verdict = 'disagree' AND r.decision = 'refer' AND f.label IS NULL THEN 'unsure'
                           ELSE f.verdict END
        FROM results r WHERE r.job_id = f.job_id
    """)
    op.execute("""
        UPDATE feedback f SET replaced_at = now() WHERE withdrawn_at IS NULL AND EXISTS (
            SELECT FROM feedback n WHERE n.job_id = f.job_id AND n.person = f.person AND n.withdrawn_at IS NULL
              AND (n.created_at, n.id) > (f.created_at, f.id))
    """)
    for column in ("person", "saw_result_first", "basis"):
        op.alter_column("feedback", column, nullable=False)
    op.create_check_constraint(op.f("ck_feedback_label"), "feedback", "label IN ('present', 'absent')")
    op.create_check_constraint(
        op.f("ck_feedback_basis"), "feedback", "basis IN ('pcr', 'radiologist', 'follow_up', 'impression')"
    )
    op.create_check_constraint(op.f("ck_feedback_corrected"), "feedback", "verdict <> 'disagree' OR label IS NOT NULL")
    op.create_foreign_key(
        op.f("fk_feedback_adjudication_id_adjudications"), "feedback", "adjudications", ["adjudication_id"], ["id"]
    )
    op.create_index("uq_feedback_standing", "feedback", ["job_id", "person"], unique=True, postgresql_where=_STANDING)
    op.create_index("ix_feedback_tenant_id_id", "feedback", ["tenant_id", "id"])


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_reviewed ON results; DROP FUNCTION tell_reviewed()")
    op.execute("DROP TRIGGER refer_to_reader ON results; DROP FUNCTION refer_to_reader()")
    op.execute("UPDATE webhooks SET events = array_remove(events, 'result.reviewed')")
    for column in ("reviewed_at", "review_label", "review"):
        op.drop_column("results", column)
    op.drop_index("ix_feedback_tenant_id_id", table_name="feedback")
    op.drop_index("uq_feedback_standing", table_name="feedback")
    op.drop_constraint(op.f("fk_feedback_adjudication_id_adjudications"), "feedback", type_="foreignkey")
    for name in ("ck_feedback_corrected", "ck_feedback_basis", "ck_feedback_label"):
        op.drop_constraint(op.f(name), "feedback", type_="check")
    op.alter_column("feedback", "basis", nullable=True)
    for column in ("adjudication_id", "replaced_at", "saw_result_first", "person"):
        op.drop_column("feedback", column)
    op.drop_table("adjudications")
    op.execute("DROP FUNCTION uuid_v7()")
