"""The sign and the tone of every status."""

from typing import Final

# What any of our enums may say: sign and colour.
_LOOKS: Final = {
    "succeeded": ("check_circle", "good"),
    "running": ("play_circle", "active"),
    "done": ("check_circle", "good"),
    "refused": ("block", "warning"),
    "queued": ("schedule", "quiet"),
    "deferred": ("update", "quiet"),
    "retrying": ("replay", "warning"),
    "failed": ("cancel", "bad"),
    "revoked": ("block", "quiet"),
    "lost": ("heart_broken", "bad"),
    "released": ("undo", "quiet"),
    "draining": ("hourglass_bottom", "warning"),
    "paused": ("pause_circle", "warning"),
    "open": ("check_circle", "good"),
    "no worker": ("error", "bad"),
    "late": ("alarm", "bad"),
    "on time": ("check_circle", "good"),
    "never": ("remove", "quiet"),
}


def look(state: str) -> tuple[str, str]:
    """Sign and tone of a state by its value; the tone is `good`, `active`, `warning`, `bad` or `quiet`."""
    return _LOOKS.get(state, ("help", "quiet"))
