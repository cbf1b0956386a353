"""Audit entries in words: what was asked for, from which value to which, and why it was not made."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from flexiprice.domain.audit import AuditOutcome, FieldChange

# Where the name of an action and its target make no sentence.
_SUBJECTS: Final[Mapping[str, str]] = {
    "load_sample": "load the {target}",
    "offer_sign_in": "offer a sign-in as {target}",
    "put_batches": "put {target}",
    "put_prices": "put {target}",
    "receive_events": "receive {target}",
    "roll_back_policy": "roll back to policy {target}",
    "sign_in": "sign in to the {target}",
    "use_api": "{target}",
    "use_monitor": "{target}",
}
_FIELDS: Final[Mapping[str, str]] = {"base_price": "price", "unit_cost": "cost"}
# Numbers that identify something; all others count something.
_NO_COUNTS: Final = frozenset({"batch_id", "status", "times"})
# The database keeps the fields of an entry in no order.
_FIRST: Final = ("base_price", "quantity")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
# Told by the facts, the reason, or beside the actor.
_TOLD: Final = frozenset(
    {
        "reason",
        "status",
        "fault",
        "key",
        "times",
        "confirmed",
        "changed",
        "sudo_user",
        "outcomes",
        "new_task_ids",
    }
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that an entry tells: `price`, and `5.00 → 4.00`."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWords:
    """The words of an audit entry.

    Attributes:
        who: the actor, and beside an account who became it.
        subject: what was asked for, and of what: `change product OMN-1`.
        facts: old and new values, and how many of what.
        reason: why it was not made, or why that is not known; empty where it was made.
        further: further facts, for a closer look.
        sentence: all but what is further, in one line.
    """

    who: str
    subject: str
    facts: tuple[Fact, ...]
    reason: str
    further: tuple[Fact, ...]
    sentence: str


def audit_words(
    *,
    actor: str,
    action: str,
    target: str,
    outcome: AuditOutcome,
    changes: Mapping[str, FieldChange],
    details: Mapping[str, object],
) -> AuditWords:
    """The words for an entry, made of its parts."""
    named = _SUBJECTS.get(action, f"{_words(action)} {{target}}")
    # Refused before its target was known.
    subject = named.format(target=target) if target else _words(action)
    facts = (*_values(action, changes), *_counts(details))
    reason = "" if outcome is AuditOutcome.DONE else _reason(details)
    further = tuple(
        Fact(_words(name), _shown(value))
        for name, value in details.items()
        if name not in _TOLD and (not _is_count(name, value))
    )
    if outcome is not AuditOutcome.DONE:
        told = f"{subject}: {outcome.value}{f', {reason}' if reason else ''}"
    elif changes and action.startswith("change_"):
        first, *others = facts
        told = "; ".join((f"{first.name} of {target}: {first.value}", *map(str, others)))
    else:
        told = f"{subject}: {', '.join(map(str, facts))}" if facts else subject
    sudo_user = details.get("sudo_user")
    who = f"{actor} (sudo by {sudo_user})" if sudo_user else actor
    return AuditWords(who=who, subject=subject, facts=facts, reason=reason, further=further, sentence=told)


def _reason(details: Mapping[str, object]) -> str:
    # Entries of before there were reasons have the code of an error.
    reason = str(details.get("reason") or details.get("error") or "")
    times = details.get("times", 1)
    return f"{reason} ({times:,} times)" if isinstance(times, int) and times > 1 else reason


def _values(action: str, changes: Mapping[str, FieldChange]) -> Iterator[Fact]:
    for name, change in sorted(changes.items(), key=lambda item: item[0] not in _FIRST):
        if action.startswith("delete_"):
            yield Fact(_words(name), f"was {_shown(change.old)}")
        elif change.old is None:
            yield Fact(_words(name), _shown(change.new))
        else:
            yield Fact(_words(name), f"{_shown(change.old)} → {_shown(change.new)}")


def _counts(details: Mapping[str, object]) -> Iterator[Fact]:
    for name, value in details.items():
        if _is_count(name, value):
            yield Fact(_words(name), f"{value:,}")
    outcomes = _mapping(details.get("outcomes"))
    for outcome, number in Counter(map(str, outcomes.values())).items():
        yield Fact(_words(outcome), f"{number:,}")
    if new := _mapping(details.get("new_task_ids")):
        yield Fact("enqueued again", f"{sum(value is not None for value in new.values()):,} of {len(new):,}")


def _is_count(name: str, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and name not in _NO_COUNTS


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _words(name: str) -> str:
    return _FIELDS.get(name, name.replace("_", " "))


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_shown(one)}" for name, one in _mapping(cast("object", value)).items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, cast("list[object]", value)))
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return str(value) if value != "" else '""'
