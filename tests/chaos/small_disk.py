"""A disk of a size of its own, in memory, that can be filled and freed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_MEGABYTES = 96


class SmallDisk:
    """A mounted file system; `folder` on it is for PostgreSQL."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "tablespace"
        self._ballast = root / "ballast"

    def fill(self) -> None:
        """Takes all that is left of it."""
        with self._ballast.open("ab") as file:
            block = bytes(1 << 16)
            try:
                while True:
                    os.write(file.fileno(), block)
            except OSError:
                pass

    def free(self) -> None:
        """Gives it back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(owner_of: Path) -> Generator[SmallDisk]:
    """Mounts one for as long as the context lasts.

    Args:
        owner_of: the folder of PostgreSQL's data, whose owner becomes that of the new one.

    Raises:
        PermissionError: nothing may be mounted here.
    """
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        raise PermissionError("only root can mount a small file system")
    root = Path(tempfile.mkdtemp(prefix="flexiprice-disk-"))
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "flexiprice", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        root.rmdir()
        raise PermissionError(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        root.chmod(0o755)
        disk = SmallDisk(root)
        disk.folder.mkdir(mode=0o700)
        owner = owner_of.stat()
        os.chown(disk.folder, owner.st_uid, owner.st_gid)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=False)
        root.rmdir()
