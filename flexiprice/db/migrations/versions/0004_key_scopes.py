"""API keys have a set of scopes.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD = sa.Enum("read", "prices", "admin", name="key_scope")
_SCOPES = ("read", "events", "labels", "prices", "approve", "admin")
_KNOWN = ", ".join(f"'{scope}'::varchar" for scope in _SCOPES)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("scopes", postgresql.ARRAY(sa.String)))
    # Keys go on with what they were allowed: `prices` contained `read`.
    op.execute(
        "UPDATE api_keys SET scopes = CASE scope WHEN 'prices' THEN ARRAY['read', 'prices'] "
        "ELSE ARRAY[scope::text] END"
    )
    op.alter_column("api_keys", "scopes", nullable=False)
    op.create_check_constraint(
        op.f("ck_api_keys_scopes"), "api_keys", f"scopes <@ ARRAY[{_KNOWN}] AND cardinality(scopes) > 0"
    )
    op.drop_column("api_keys", "scope")
    op.execute(f"DROP TYPE {_OLD.name}")


def downgrade() -> None:
    _OLD.create(op.get_bind())
    op.add_column("api_keys", sa.Column("scope", _OLD))
    # A set that the ladder did not have becomes the rung below it: nobody gets more than they had.
    op.execute(
        "UPDATE api_keys SET scope = (CASE WHEN 'admin' = ANY (scopes) THEN 'admin' "
        "WHEN ARRAY['read', 'prices']::varchar[] <@ scopes THEN 'prices' ELSE 'read' END)::key_scope, "
        # The ladder's lowest rung looks at everything; who may not, opens nothing any more.
        "revoked_at = CASE WHEN scopes && ARRAY['admin', 'read']::varchar[] THEN revoked_at "
        "ELSE coalesce(revoked_at, now()) END"
    )
    op.alter_column("api_keys", "scope", nullable=False)
    op.drop_column("api_keys", "scopes")
