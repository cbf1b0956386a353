"""A group of commands that imports the code of a command only when it is used."""

from collections import UserDict
from functools import cached_property
from importlib import import_module
from typing import Any, Final, TypeAlias, cast

import typer
from typer.core import TyperCommand, TyperGroup

from flexiprice.cli.commands import COMMANDS, CommandEntry
from flexiprice.cli.examples import show_examples

MARKUP_MODE: Final = "markdown"


Loaded: TypeAlias = TyperCommand | TyperGroup


class LazyCommand(TyperCommand):
    """A command as the list shows it. Its own code is imported when its arguments are parsed."""

    def __init__(self, name: str, entry: CommandEntry) -> None:
        super().__init__(name=name, help=entry.summary, rich_help_panel=entry.panel)
        self._name = name
        self._entry = entry

    @cached_property
    def loaded(self) -> Loaded:
        """The command or group itself, with its examples."""
        module, _, attribute = self._entry.place.partition(":")
        target = getattr(import_module(module), attribute)
        owner = typer.Typer(rich_markup_mode=MARKUP_MODE)
        # An application with a single command would be that command; the callback makes it a group.
        owner.callback()(_do_nothing)
        if isinstance(target, typer.Typer):
            owner.add_typer(target, rich_help_panel=self._entry.panel)
        else:
            owner.command(self._name, rich_help_panel=self._entry.panel)(target)
        show_examples(owner)
        return cast("Loaded", cast("TyperGroup", typer.main.get_command(owner)).commands[self._name])

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 -- as the base class
        """Parses the arguments as the command itself does; the context is that command's."""
        return self.loaded.make_context(*arguments, **options)


class _Commands(UserDict[str, Any]):
    """Commands by name. Reading one imports its code."""

    def __getitem__(self, name: str) -> Loaded:
        return cast("LazyCommand", self.data[name]).loaded


class LazyGroup(TyperGroup):
    """The commands of the table."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- as the base class
        super().__init__(**options)
        self._listed = {name: LazyCommand(name, entry) for name, entry in COMMANDS.items()}
        self.commands = _Commands(self._listed)

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002
        """Returns the names in the order of the table."""
        return list(self._listed)

    def get_command(self, ctx: object, cmd_name: str) -> LazyCommand | None:  # noqa: ARG002
        """Returns a command as the list shows it; None where there is none of this name."""
        return self._listed.get(cmd_name)


def _do_nothing() -> None: ...
