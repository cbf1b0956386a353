"""Finds the complete files in the watched directory, and moves them when they are done with.

The directory has one folder for each kind of file. A folder inside it names the format of stock
(`stock/night/`), or the source of events (`sales/till-1/`). Finished files go to `done/` or `failed/`, into
the same folders.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

DONE: Final = "done"
FAILED: Final = "failed"
_CHUNK: Final = 1 << 20
# The names that programs give a file while they write it.
_UNFINISHED: Final = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".upload",
    ".swp",
    "~",
)


class FolderKind(StrEnum):
    """The kind of files in a folder, which is its name.

    `complete` files are the whole stock of the stores that they name.
    """

    STOCK = "stock"
    COMPLETE = "complete"
    PRICES = "prices"
    SALES = "sales"
    WASTE = "waste"
    COUNTS = "counts"
    DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedFile:
    """A complete file.

    Attributes:
        path: of the file.
        place: its path within the directory, as people name it.
        kind: of its folder; None if it lies beside the folders.
        detail: the name of the folder inside that of its kind; empty without one.
        size: in bytes.
        changed_ns: when it was last written, in nanoseconds of the Unix epoch.
    """

    path: Path
    place: str
    kind: FolderKind | None
    detail: str
    size: int
    changed_ns: int

    @property
    def changed_at(self) -> datetime:
        """The instant at which it was last written: its stock holds then, if it states nothing else."""
        return datetime.fromtimestamp(self.changed_ns // 1_000 / 1_000_000, UTC)

    def is_unchanged(self) -> bool:
        """Whether it is still there and has not been written since it was found."""
        try:
            now = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (now.st_size, now.st_mtime_ns) == (self.size, self.changed_ns)


def create_folders(directory: Path) -> None:
    """Creates the folders of all kinds, `done` and `failed`, so that people see where files go.

    Raises:
        OSError: the directory does not exist, or may not be written.
    """
    for name in (*FolderKind, DONE, FAILED):
        (directory / name).mkdir(exist_ok=True)


def find_dropped(directory: Path, *, settled_for: float) -> list[DroppedFile]:
    """Returns the complete files, those that were written first before the others.

    Hidden files, links and files with the name of an unfinished one are left alone.

    Args:
        directory: the watched directory.
        settled_for: seconds without a change after which a file counts as complete.
    """
    # The files' own clock, which may be that of another machine.
    settled_before = _file_time(directory) - settled_for
    found = [*_files(directory, directory, None, "", settled_before)]
    for kind in FolderKind:
        folder = directory / kind
        found += _files(directory, folder, kind, "", settled_before)
        for inner in _folders(folder):
            found += _files(directory, folder / inner, kind, inner, settled_before)
    return sorted(found, key=lambda file: (file.changed_ns, file.place))


def fingerprint(file: DroppedFile) -> bytes:
    """Returns a digest of place, time and content, by which a file is known to be imported.

    The same content that is dropped again later is another file.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.blake2b(
        f"{file.place}\0{file.changed_ns}\0".encode(errors="surrogateescape"), digest_size=32
    )
    with open_dropped(file) as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


@contextmanager
def open_dropped(file: DroppedFile) -> Generator[BinaryIO]:
    """Opens a file for reading.

    Raises:
        OSError: it cannot be opened, or a link has taken its place.
    """
    with os.fdopen(os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as content:
        yield content


def finished_path(directory: Path, file: DroppedFile, *, failed: bool) -> Path:
    """Returns the path of a finished file, made unique by the time at which it was written."""
    place = Path(file.place)
    folder = directory / (FAILED if failed else DONE) / place.parent
    return folder / f"{file.changed_at:%Y-%m-%dT%H%M%S.%fZ}-{place.name}"


def _files(
    directory: Path, folder: Path, kind: FolderKind | None, detail: str, settled_before: float
) -> Iterator[DroppedFile]:
    for entry in _entries(folder):
        if entry.name.lower().endswith(_UNFINISHED):
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode) and max(found.st_mtime, found.st_ctime) <= settled_before:
            path = Path(entry.path)
            yield DroppedFile(
                path=path,
                place=path.relative_to(directory).as_posix(),
                kind=kind,
                detail=detail,
                size=found.st_size,
                changed_ns=found.st_mtime_ns,
            )


def _file_time(directory: Path) -> float:
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".clock-") as probe:
        return os.fstat(probe.fileno()).st_mtime


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in _entries(folder) if entry.is_dir(follow_symlinks=False))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
