"""The API key that `flexiprice up` and `flexiprice demo` make for this folder, where none is configured."""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from flexiprice.embedded.servers import kept_secret
from flexiprice.settings import Settings

FILE_NAME: Final = "api-key"


def with_local_key(settings: Settings, data_dir: Path) -> tuple[Settings, Path | None]:
    """The settings with a key, and the file that it is kept in; no file where they had a key already.

    The file can be read by its owner alone, and stays: what was given the key goes on opening.
    """
    if settings.api_key is not None:
        return settings, None
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = data_dir / FILE_NAME
    return settings.model_copy(update={"api_key": SecretStr(kept_secret(file))}), file
