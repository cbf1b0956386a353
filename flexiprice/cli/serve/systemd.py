"""`flexiprice systemd`: unit files that keep the API, the monitor and workers running."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from flexiprice.cli.console import file_errors
from flexiprice.cli.serve.healthcheck import Program
from flexiprice.cli.serve.systemd_units import UnitPlan, unit_files
from flexiprice.errors import InvalidSettings
from flexiprice.settings import ENV_FILES, load_settings

_UNITS: Final = Path("/etc/systemd/system")
# What useradd takes.
_USER: Final = r"^[a-z_][a-z0-9_-]{0,31}$"


def systemd(
    program: Annotated[Program, typer.Argument(help="What the unit runs.", show_default=False)],
    *,
    user: Annotated[
        str, typer.Option(help="Account, and group, that it runs as; it must exist.", metavar="NAME")
    ] = "flexiprice",
    working_directory: Annotated[
        Path | None,
        typer.Option(help="Where it runs. [default: this folder]", show_default=False, metavar="FOLDER"),
    ] = None,
    environment_file: Annotated[
        Path, typer.Option(help="Settings, as `NAME=value` lines; it must exist.", metavar="FILE")
    ] = Path("/etc/flexiprice/environment"),
    instances: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            help="Workers that run side by side, each in a unit of its own; of the API, processes in one.",
        ),
    ] = 1,
    output_directory: Annotated[
        Path | None,
        typer.Option(
            help="Write the files there instead, for example into /etc/systemd/system.", metavar="FOLDER"
        ),
    ] = None,
) -> None:
    """Print units for systemd, hardened: the program may read its files and speak to its servers only.

    They start this very installation. How long systemd waits for it to stop follows FLEXIPRICE_WORKER_GRACE.
    """
    if not re.match(_USER, user):
        raise InvalidSettings(f"--user {user!r}: an account's name has small letters, digits, - and _")
    if program is Program.MONITOR and instances > 1:
        raise InvalidSettings("--instances: one monitor is enough")
    command = [str(Path(sys.executable).parent / "flexiprice"), program.value]
    if program is Program.API and instances > 1:
        command += ["--workers", str(instances)]
    folder = _absolute(Path.cwd() if working_directory is None else working_directory)
    environment_file = _absolute(environment_file)
    if environment_file.exists() and not os.access(environment_file, os.R_OK):
        raise InvalidSettings(f"{environment_file} cannot be read by you: as root?")
    # As the program will read them.
    settings = load_settings((*(folder / file for file in ENV_FILES), environment_file))
    plan = UnitPlan(
        program=program.value,
        command=tuple(command),
        user=user,
        working_directory=folder,
        environment_file=environment_file,
        grace=settings.worker_grace,
        instances=instances if program is Program.WORKER else 1,
    )
    for name, text in unit_files(plan).items():
        if output_directory is None:
            typer.echo(f"# {_UNITS / name}\n{text}")
        else:
            written = output_directory / name
            with file_errors(written):
                written.write_text(text)
            typer.echo(f"Written: {written}")


def _absolute(path: Path) -> Path:
    # A line break would begin another setting of the unit.
    if any(character in str(path) for character in "\r\n"):
        raise InvalidSettings(f"{str(path)!r} has a line break in it")
    # Not resolved: a link, such as one to the current release, is to be followed when it starts.
    return Path(os.path.normpath(path.absolute()))
