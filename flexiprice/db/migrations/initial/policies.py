"""Policy versions, with the default policy as version 1."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flexiprice.db.migrations.initial.columns import (
    INSTANT,
    check,
    create_functions,
    created_at,
    drop,
    updated_at,
)
from flexiprice.db.migrations.initial.default_policy import DEFAULT_POLICY

_FUNCTIONS = {
    "refuse_policy_edit": """
        BEGIN
            IF TG_OP = 'UPDATE' AND (NEW.version, NEW.document, NEW.comment, NEW.created_at)
                IS NOT DISTINCT FROM (OLD.version, OLD.document, OLD.comment, OLD.created_at)
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'policy version % is immutable: create a new one', OLD.version
                USING ERRCODE = 'restrict_violation';
        END
    """,
    "require_active_policy": """
        BEGIN
            IF NOT EXISTS (SELECT FROM policies WHERE active) THEN
                RAISE EXCEPTION 'one version of the policy must be active'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NULL;
        END
    """,
}
_TRIGGERS = (
    """
    CREATE TRIGGER policies_are_immutable BEFORE UPDATE OR DELETE ON policies
        FOR EACH ROW EXECUTE FUNCTION refuse_policy_edit()
    """,
    """
    CREATE CONSTRAINT TRIGGER one_policy_is_active AFTER UPDATE ON policies
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_active_policy()
    """,
)


def create() -> None:
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.Column("comment", sa.String, server_default=sa.text("''"), nullable=False),
        sa.Column("active", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("activated_at", INSTANT),
        created_at(),
        updated_at(),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
        check("policies", "version", "version > 0"),
        check("policies", "comment", "length(comment) <= 500"),
        check("policies", "activated_at", "activated_at IS NOT NULL OR NOT active"),
    )
    op.create_index(
        "uq_policies_active", "policies", ["active"], unique=True, postgresql_where=sa.text("active")
    )
    create_functions(_FUNCTIONS)
    for trigger in _TRIGGERS:
        op.execute(trigger)
    _seed()


def remove() -> None:
    drop(("policies",), functions=_FUNCTIONS)


def _seed() -> None:
    policies = sa.table(
        "policies",
        sa.column("version"),
        sa.column("document", JSONB),
        sa.column("comment"),
        sa.column("active"),
        sa.column("activated_at"),
    )
    op.execute(
        policies.insert().values(
            version=1,
            document=DEFAULT_POLICY,
            comment="the default policy",
            active=True,
            activated_at=sa.func.now(),
        )
    )
