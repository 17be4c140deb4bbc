"""the order of ends goes on after a restore into another cluster

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE OR REPLACE FUNCTION jobs_ended_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.finished_at IS NULL THEN
        NEW.ended_in := NULL;
    ELSE
        SELECT pg_current_xact_id()::text::bigint + added INTO STRICT NEW.ended_in FROM transaction_count;
    END IF;
    RETURN NEW;
END $$
"""
_BEFORE = """
CREATE OR REPLACE FUNCTION jobs_ended_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ended_in := CASE WHEN NEW.finished_at IS NULL THEN NULL ELSE pg_current_xact_id()::text::bigint END;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "transaction_count",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("added", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("single", name="single"),
        sa.PrimaryKeyConstraint("single", name="pk_transaction_count"),
    )
    op.execute("INSERT INTO transaction_count DEFAULT VALUES")
    op.execute(_FUNCTION)


def downgrade() -> None:
    op.execute(_BEFORE)
    op.drop_table("transaction_count")
