"""Reads secrets from files: `FLEXIPRICE_API_KEY_FILE` names the file that contains `FLEXIPRICE_API_KEY`."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from flexiprice.errors import InvalidSettings

SUFFIX: Final = "_FILE"
# More than any secret needs, and harmless if a wrong file is named.
_MOST_BYTES: Final = 65_536


def read_secret_files(names: Collection[str], env_files: Sequence[Path]) -> Mapping[str, str]:
    """Reads the secrets that files contain, by the variable that each replaces.

    Args:
        names: variables that may be read from a file, in capitals.
        env_files: files of `NAME=value` lines; later ones win, and the environment wins over them.

    Raises:
        InvalidSettings: a file cannot be read or is empty, or one source has both a secret and its file.
    """
    found: dict[str, str] = {}
    sources: list[Mapping[str, str | None]] = [dotenv_values(file) for file in env_files if file.is_file()]
    for source in (*sources, os.environ):
        given = {name.upper(): value for name, value in source.items() if value}
        for name in names:
            file = given.get(f"{name}{SUFFIX}")
            if file is not None and name in given:
                raise InvalidSettings(f"{name} and {name}{SUFFIX} are both set: remove one of them")
            if file is not None:
                found[name] = _read(f"{name}{SUFFIX}", Path(file))
            elif name in given:
                # This source wins over the file of an earlier one.
                found.pop(name, None)
    return found


def _read(variable: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        # Editors append a newline, which is not part of the secret.
        secret = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise InvalidSettings(f"{variable}: {file} cannot be read ({reason})") from None
    if not secret or len(content) > _MOST_BYTES:
        raise InvalidSettings(f"{variable}: {file} is {'too long' if secret else 'empty'}")
    return secret
