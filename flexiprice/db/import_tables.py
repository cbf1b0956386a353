"""The tables of saved mappings and of imported files."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    Identity,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant
from flexiprice.domain.file_import import FileImportStatus


class ImportMapping(Base):
    """The columns and notation of a file, saved under a name for the next one."""

    __tablename__ = "import_mappings"
    __table_args__ = (CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name="name"),)

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    saved_at: Mapped[Instant] = mapped_column(server_default=func.now())


class FileImport(Base):
    """A file of the watched directory that was imported or refused, with the report.

    `fingerprint` tells a file that was imported but not moved away yet, see `import_folder.dropped_files`.
    """

    __tablename__ = "file_imports"
    __table_args__ = (
        UniqueConstraint("fingerprint"),
        CheckConstraint("length(place) <= 500", name="place"),
        CheckConstraint("status IN ('imported', 'partly', 'failed')", name="status"),
        CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint"),
        Index(None, "imported_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    imported_at: Mapped[Instant] = mapped_column(server_default=func.now())
    place: Mapped[str]
    kind: Mapped[str]
    status: Mapped[FileImportStatus] = mapped_column(
        Enum(FileImportStatus, native_enum=False, create_constraint=False, values_callable=list, length=10)
    )
    error: Mapped[str | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
