"""Groups partitions by their table."""

from collections.abc import Sequence
from dataclasses import dataclass

from flexiprice.db.sizes import TableSize


@dataclass(frozen=True, slots=True)
class TableGroup:
    """A table, with its partitions if it is partitioned.

    Attributes:
        name: name of the table.
        parts: the table itself, or its partitions, the newest first.
        is_partitioned: whether `parts` are partitions.
    """

    name: str
    parts: tuple[TableSize, ...]
    is_partitioned: bool

    @property
    def rows(self) -> int | None:
        """Estimated number of rows; None if it is unknown for a part."""
        known = [part.rows for part in self.parts if part.rows is not None]
        return sum(known) if len(known) == len(self.parts) else None


def group_by_parent(tables: Sequence[TableSize]) -> list[TableGroup]:
    """Groups tables and partitions by table, the largest first."""
    by_name: dict[str, list[TableSize]] = {}
    for each in tables:
        by_name.setdefault(each.parent or each.name, []).append(each)
    groups = [
        TableGroup(
            name, tuple(sorted(parts, key=lambda part: part.name, reverse=True)), parts[0].parent is not None
        )
        for name, parts in by_name.items()
    ]
    return sorted(groups, key=lambda group: -sum(part.total_bytes for part in group.parts))
