"""The notation of import options in messages: as command options, or as query parameters."""

import shlex
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Option:
    """An option by its query parameter's name, such as `date_format`, and its value; a flag has none."""

    name: str
    value: str | None = None


class Spelling(StrEnum):
    """The notation of options."""

    COMMAND = "command"
    """Command options, quoted for a shell: `--encoding cp1252`."""
    ADDRESS = "address"
    """Query parameters, not percent-encoded: `encoding=cp1252`."""

    def write(self, *parts: str | Option) -> str:
        """Joins the parts of a sentence, with options in this notation."""
        return "".join(part if isinstance(part, str) else self._option(part) for part in parts)

    def write_all(self, *options: Option) -> str:
        """Joins several options."""
        return (" " if self is Spelling.COMMAND else "&").join(map(self.write, options))

    def _option(self, option: Option) -> str:
        if self is Spelling.ADDRESS:
            return f"{option.name}={'true' if option.value is None else option.value}"
        flag = f"--{option.name.replace('_', '-')}"
        return flag if option.value is None else f"{flag} {shlex.quote(option.value)}"
