"""Tables with their partitions, as one thing each."""

from collections.abc import Sequence
from dataclasses import dataclass

from flexiprice.db.sizes import TableSize


@dataclass(frozen=True, slots=True)
class TableGroup:
    """A table, with all its partitions where it has any.

    Attributes:
        name: the table's.
        parts: itself, or its partitions, the newest first.
        is_partitioned: whether they are partitions.
    """

    name: str
    parts: tuple[TableSize, ...]
    is_partitioned: bool

    @property
    def rows(self) -> int | None:
        """All rows, about; None where those of a part are not known."""
        known = [part.rows for part in self.parts if part.rows is not None]
        return sum(known) if len(known) == len(self.parts) else None


def grouped(tables: Sequence[TableSize]) -> list[TableGroup]:
    """Tables and partitions by what they belong to, the largest first."""
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
