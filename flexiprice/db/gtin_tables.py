"""The table of the products' GTINs, by which scans find products."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant


class ProductGtin(Base):
    """A GTIN of a product: a product may have several, and no two products share one.

    Writers verify the check digit. The rows go with their product.
    """

    __tablename__ = "product_gtins"
    __table_args__ = (
        CheckConstraint("gtin ~ '^[0-9]{14}$'", name="gtin"),
        Index(None, "product_id"),
    )

    gtin: Mapped[str] = mapped_column(String(14), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
