"""The base of every group of settings: where their values come from."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from flexiprice.settings.values import PREFIX


class SettingsGroup(BaseSettings):
    """Settings of one subject; `Settings` has those of all groups."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )
