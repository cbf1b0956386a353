"""Celery in a folder of its own: it wants another redis-py than arq, so the two cannot share one."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_INSTALL_SECONDS = 300


@contextmanager
def celery_home() -> Generator[Path | None]:
    """A folder to put first on Python's path; None where pip cannot install Celery here."""
    with TemporaryDirectory(prefix="flexiprice-celery-") as folder:
        install = [sys.executable, "-m", "pip", "install", "-q", "--target", folder, "celery[redis]"]
        try:
            done = subprocess.run(install, capture_output=True, timeout=_INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            yield None
            return
        yield Path(folder) if done.returncode == 0 else None
