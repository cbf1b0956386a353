"""The options of an import as they are written where a file comes in: in a command, or in an address."""

import shlex
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Option:
    """An option by its name in an address, such as `date_format`, and its value; a flag has none."""

    name: str
    value: str | None = None


class Spelling(StrEnum):
    """How options are written."""

    COMMAND = "command"
    """As a shell takes them: `--encoding cp1252`."""
    ADDRESS = "address"
    """As query parameters, before they are percent-encoded: `encoding=cp1252`."""

    def write(self, *parts: str | Option) -> str:
        """A sentence in which options are written this way."""
        return "".join(part if isinstance(part, str) else self._option(part) for part in parts)

    def write_all(self, *options: Option) -> str:
        """Options as they are given together."""
        return (" " if self is Spelling.COMMAND else "&").join(map(self.write, options))

    def _option(self, option: Option) -> str:
        if self is Spelling.ADDRESS:
            return f"{option.name}={'true' if option.value is None else option.value}"
        flag = f"--{option.name.replace('_', '-')}"
        return flag if option.value is None else f"{flag} {shlex.quote(option.value)}"
