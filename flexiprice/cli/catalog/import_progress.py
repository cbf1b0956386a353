"""Shows the progress of reading a file, on a terminal."""

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from flexiprice.cli.console import stderr

_CHUNK: Final = 1 << 16


@contextmanager
def reading(file: BinaryIO) -> Generator[Iterator[bytes]]:
    """Yields the chunks of a file, and shows how much of it is read."""
    status = os.fstat(file.fileno())
    total = status.st_size if stat.S_ISREG(status.st_mode) else None
    console = stderr()
    with Progress(
        TextColumn("Importing"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total)

        def chunks() -> Iterator[bytes]:
            while chunk := file.read(_CHUNK):
                progress.advance(task, len(chunk))
                yield chunk

        yield chunks()
