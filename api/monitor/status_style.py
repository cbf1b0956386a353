"""Icons and colors of statuses."""

from typing import Final

# Icon and tone by the value of a status enum or by a word of a badge.
_STYLES: Final = {
    "succeeded": ("check_circle", "good"),
    "running": ("play_circle", "active"),
    "done": ("check_circle", "good"),
    "refused": ("block", "warning"),
    "imported": ("check_circle", "good"),
    "partly": ("rule", "warning"),
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


def status_style(status: str) -> tuple[str, str]:
    """Returns icon and tone of a status by its value; the tone names a CSS class.

    Tones are `good`, `active`, `warning`, `bad` and `quiet`.
    """
    return _STYLES.get(status, ("help", "quiet"))
