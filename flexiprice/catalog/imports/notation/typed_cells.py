"""Cells whose kind a workbook or JSON states: such a cell is not read by the notation of the file's texts."""

from datetime import datetime


class NumberText(str):
    """A number in JSON's notation: a decimal point and no grouping, whatever the file's texts use."""

    __slots__ = ()


class DateText(str):
    """A date of a workbook in ISO 8601, with its time of day unless that is midnight."""

    __slots__ = ()

    @classmethod
    def of(cls, moment: datetime) -> "DateText":
        """Writes a moment; a workbook's moments have no UTC offset."""
        is_midnight = moment.time() == datetime.min.time()
        return cls(moment.date().isoformat() if is_midnight else moment.isoformat(" "))

    @property
    def moment(self) -> datetime:
        """The date and time of day."""
        return datetime.fromisoformat(self)
