"""The table of saved mappings of imports."""

from typing import Any

from sqlalchemy import CheckConstraint, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant


class ImportMapping(Base):
    """The columns and notation of a file, saved under a name for the next one."""

    __tablename__ = "import_mappings"
    __table_args__ = (CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name="name"),)

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    saved_at: Mapped[Instant] = mapped_column(server_default=func.now())
