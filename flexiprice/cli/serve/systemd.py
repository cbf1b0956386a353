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
# The names that useradd accepts.
_USER: Final = r"^[a-z_][a-z0-9_-]{0,31}$"


def systemd(
    program: Annotated[Program, typer.Argument(help="Program that the unit runs.", show_default=False)],
    *,
    user: Annotated[
        str, typer.Option(help="Existing account and group to run as.", metavar="NAME")
    ] = "flexiprice",
    working_directory: Annotated[
        Path | None,
        typer.Option(help="Working directory. [default: this folder]", show_default=False, metavar="FOLDER"),
    ] = None,
    environment_file: Annotated[
        Path, typer.Option(help="Existing file of settings, as `NAME=value` lines.", metavar="FILE")
    ] = Path("/etc/flexiprice/environment"),
    instances: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            help="Number of workers, each in its own unit; for the API, number of processes in one unit.",
        ),
    ] = 1,
    output_directory: Annotated[
        Path | None,
        typer.Option(
            help="Write the files into this folder, for example /etc/systemd/system, instead of printing "
            "them.",
            metavar="FOLDER",
        ),
    ] = None,
) -> None:
    """Print hardened systemd units, which restrict the program to its own files and servers.

    The units start this installation. The stop timeout follows FLEXIPRICE_WORKER_GRACE.
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
    # Read as the program will read them.
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
    # A line break would begin another directive of the unit.
    if any(character in str(path) for character in "\r\n"):
        raise InvalidSettings(f"{str(path)!r} has a line break in it")
    # Not resolved: a symbolic link, such as one to the current release, is followed when the unit starts.
    return Path(os.path.normpath(path.absolute()))
