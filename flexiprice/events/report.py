"""The report of recorded events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flexiprice.catalog.imports.problems import BadRow

MAX_ROWS_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """The result of recording events: `read` = `recorded` + `ignored` + `set_aside` + `bad`.

    Attributes:
        read: events that were read.
        recorded: new events.
        ignored: events that were recorded before with the same content.
        set_aside: events with the identity of a recorded one and other content; they changed nothing.
        bad: events that were refused.
        bad_rows: the first refused events, by line.
        set_aside_rows: the first events that were set aside, by line; the reason names the recorded one.
        already_counted: recorded events that moved no stock, because it was stated later.
        beyond_stock: recorded events with units beyond the known stock, which lowered no batch.
        moved_batches: batches whose quantity changed.
        columns: the column of the file by field.
        unused_columns: columns that were not read.
        duration_seconds: duration.
    """

    read: int
    recorded: int
    ignored: int
    set_aside: int
    bad: int
    bad_rows: tuple[BadRow, ...]
    set_aside_rows: tuple[BadRow, ...]
    already_counted: int
    beyond_stock: int
    moved_batches: int
    columns: Mapping[str, str]
    unused_columns: tuple[str, ...]
    duration_seconds: float


@dataclass(slots=True)
class ChunkResult:
    """The result of one chunk; see `EventReport`."""

    recorded: int = 0
    ignored: int = 0
    bad: list[BadRow] = field(default_factory=list[BadRow])
    set_aside: list[BadRow] = field(default_factory=list[BadRow])
    already_counted: int = 0
    beyond_stock: int = 0
    moved_batches: tuple[int, ...] = ()

    @property
    def written(self) -> Mapping[str, int]:
        """The numbers of written rows by kind, for the audit; empty if none was."""
        counts = {
            "recorded": self.recorded,
            "set_aside": len(self.set_aside),
            "moved_batches": len(self.moved_batches),
        }
        return {name: count for name, count in counts.items() if count}


class EventTally:
    """Adds the results of chunks, and keeps the first rows of the report."""

    def __init__(self) -> None:
        self._total = ChunkResult()
        self._bad = 0
        self._set_aside = 0
        self._moved: set[int] = set()

    @property
    def moved_batches(self) -> tuple[int, ...]:
        """The batches whose quantity changed."""
        return tuple(sorted(self._moved))

    def refuse(self, rows: list[BadRow]) -> None:
        """Adds rows that were refused before they came to a chunk."""
        self._bad += len(rows)
        self._total.bad += rows[: MAX_ROWS_KEPT - len(self._total.bad)]

    def add(self, chunk: ChunkResult) -> None:
        """Adds the result of a chunk."""
        total = self._total
        total.recorded += chunk.recorded
        total.ignored += chunk.ignored
        total.already_counted += chunk.already_counted
        total.beyond_stock += chunk.beyond_stock
        self.refuse(chunk.bad)
        self._set_aside += len(chunk.set_aside)
        total.set_aside += chunk.set_aside[: MAX_ROWS_KEPT - len(total.set_aside)]
        self._moved.update(chunk.moved_batches)

    def report(
        self, *, columns: Mapping[str, str], unused_columns: tuple[str, ...], duration_seconds: float
    ) -> EventReport:
        """Returns the report of all chunks."""
        total = self._total
        return EventReport(
            read=total.recorded + total.ignored + self._set_aside + self._bad,
            recorded=total.recorded,
            ignored=total.ignored,
            set_aside=self._set_aside,
            bad=self._bad,
            bad_rows=tuple(sorted(total.bad, key=lambda row: row.line)),
            set_aside_rows=tuple(sorted(total.set_aside, key=lambda row: row.line)),
            already_counted=total.already_counted,
            beyond_stock=total.beyond_stock,
            moved_batches=len(self._moved),
            columns=columns,
            unused_columns=unused_columns,
            duration_seconds=round(duration_seconds, 3),
        )
