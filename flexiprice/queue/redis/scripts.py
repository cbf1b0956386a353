"""Loads the Lua scripts of `lua/`, one constant a file. Each is atomic and takes one round trip.

A line `--- @include "name"` stands for the file `lua/includes/name.lua`, and `--- @constant "name"` for
`local name = …` with a value of `CONSTANTS`. A script gets each include and each constant once.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from flexiprice.errors import InvalidScript
from flexiprice.queue.arq import default_queue_name, job_key_prefix
from flexiprice.queue.redis import keys

LOOKED_AT: Final = 1_000
"""Maximum number of jobs that one call of `CLAIM` reads; the next call continues after them."""

CONSTANTS: Final[Mapping[str, str | int | tuple[str, ...]]] = {
    "awaiting_children": keys.AWAITING_CHILDREN,
    "bad_entries": keys.BAD_ENTRIES,
    "bad_entry_prefix": keys.bad_entry_key(""),
    "dead_letter_reasons": keys.DEAD_LETTER_REASONS,
    "dead_letters": keys.DEAD_LETTERS,
    "dead_letters_prefix": keys.dead_letters_key(""),
    "default_queue": keys.DEFAULT_QUEUE,
    "finished_prefix": keys.finished_channel(""),
    "job_prefix": job_key_prefix,
    "max_reads": LOOKED_AT,
    "children_prefix": keys.children_key(""),
    "queue_prefix": f"{default_queue_name}:",
    "record_prefix": keys.record_key(""),
    "routed_score": keys.ROUTED_SCORE,
    "wake_prefix": keys.WAKE_PREFIX,
    "worker_prefix": keys.worker_key(""),
}
"""Values that Lua and Python share."""

FOLDER: Final = files("flexiprice.queue.redis").joinpath("lua")
"""The folder of the scripts."""
_DIRECTIVE: Final = re.compile(r"^--- @(.*)\n", re.MULTILINE)
_FORM: Final = re.compile(r'(include|constant) "(\w+)"')


def load_script(name: str, folder: Traversable = FOLDER) -> str:
    """Returns a script with its includes and constants.

    Args:
        name: name of its file without `.lua`.
        folder: the folder of scripts and `includes`.

    Raises:
        InvalidScript: a file or a constant does not exist, includes form a cycle, or a directive is
            malformed; the message names the file.
    """
    return _Assembly(folder).text_of(f"{name}.lua", ())


class _Assembly:
    """One script while it is assembled."""

    def __init__(self, folder: Traversable) -> None:
        self._folder = folder
        self._inserted: set[str] = set()

    def text_of(self, path: str, includers: tuple[str, ...]) -> str:
        """Returns the assembled text of a file; nothing if the script has it already."""
        if path in includers:
            raise InvalidScript(f"{path} includes itself: {' > '.join((*includers, path))}")
        if path in self._inserted:
            return ""
        self._inserted.add(path)
        try:
            text = self._folder.joinpath(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            includer = f"{includers[-1]} includes {path}, which" if includers else path
            raise InvalidScript(f"{includer} does not exist") from None
        return _DIRECTIVE.sub(lambda found: self._insert(found[1], (*includers, path)), text)

    def _insert(self, directive: str, includers: tuple[str, ...]) -> str:
        form = _FORM.fullmatch(directive)
        if form is None:
            raise InvalidScript(f'{includers[-1]}: "--- @{directive}" is neither an include nor a constant')
        kind, name = form.groups()
        if kind == "include":
            return self.text_of(f"includes/{name}.lua", includers)
        if name not in CONSTANTS:
            raise InvalidScript(f"{includers[-1]} asks for the constant {name}, which does not exist")
        if name in self._inserted:
            return ""
        self._inserted.add(name)
        value = CONSTANTS[name]
        literal = f"{{{', '.join(map(repr, value))}}}" if isinstance(value, tuple) else repr(value)
        return f"local {name} = {literal}\n"


CLAIM: Final = load_script("claim")
CLOSE_OUTBOX: Final = load_script("close_outbox")
COUNT_QUEUE: Final = load_script("count_queue")
DEREGISTER: Final = load_script("deregister")
ENQUEUE: Final = load_script("enqueue")
EXONERATE: Final = load_script("exonerate")
HEARTBEAT: Final = load_script("heartbeat")
PAUSE_SCHEDULE: Final = load_script("pause_schedule")
QUARANTINE_FIELD: Final = load_script("quarantine_field")
QUARANTINE_JOB_IDS: Final = load_script("quarantine_job_ids")
QUARANTINE_KEY: Final = load_script("quarantine_key")
REGISTER_CHILDREN: Final = load_script("register_children")
RELEASE: Final = load_script("release")
REMOVE_DEAD_LETTERS: Final = load_script("remove_dead_letters")
REPORT_PROGRESS: Final = load_script("report_progress")
RESUME_SCHEDULE: Final = load_script("resume_schedule")
REVOKE: Final = load_script("revoke")
ROUTE_JOB: Final = load_script("route_job")
