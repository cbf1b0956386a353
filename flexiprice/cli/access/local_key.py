"""Creates an API key for `flexiprice up` and `flexiprice demo` where none is configured."""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from flexiprice.embedded.servers import kept_secret
from flexiprice.settings import Settings

FILE_NAME: Final = "api-key"


def with_local_key(settings: Settings, data_dir: Path) -> tuple[Settings, Path | None]:
    """Returns the settings with a key, and the key's file; None for the file where they had a key already.

    Only its owner can read the file. It is kept, so that clients with the key stay authorised.
    """
    if settings.api_key is not None:
        return settings, None
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = data_dir / FILE_NAME
    return settings.model_copy(update={"api_key": SecretStr(kept_secret(file))}), file
