"""Quarantines unusable entries in Redis: renames, lists and counts them.

Examples are a key of a wrong type, an invalid due time, and a job id that is not UTF-8. The script or client
that finds such an entry moves it out of the way, so that it fails no further call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flexiprice.queue.redis import keys

MAX_BAD_ENTRIES: Final = 1_000
"""Maximum number of quarantined entries; further ones are deleted."""
KEPT_SECONDS: Final = 30 * 24 * 3600
# Longer names would not fit into requests and pages.
_MAX_NAME_LENGTH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    """A quarantined entry of Redis.

    Attributes:
        name: its key; for an entry in a queue, the queue's key and the job's id. Invalid UTF-8 is escaped.
        reason: the problem, for people.
        found_at: when it was quarantined.
    """

    name: str
    reason: str
    found_at: datetime


def read_bad_entry(name: bytes, content: bytes) -> BadEntry:
    """Parses an entry of the list; accepts any content."""
    found_ms, _, reason = content.decode(errors="replace").partition(" ")
    return BadEntry(
        name=shown_name(name), reason=reason or "unknown reason", found_at=keys.instant_of(found_ms)
    )


def shown_name(name: bytes) -> str:
    """Formats a key or id for people; escapes everything that is not printable UTF-8."""
    text = name.decode(errors="backslashreplace")[:_MAX_NAME_LENGTH]
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def named(entries: Sequence[bytes], shown: str) -> bytes | None:
    """Finds the entry whose formatted name is given."""
    return next((entry for entry in entries if shown_name(entry) == shown), None)


# Include for every script. `call` is `redis.call` for our keys: it quarantines a key of a wrong type and
# repeats the command. All other errors are raised unchanged.
GUARDED_CALLS: Final = (
    f"""
local bad_entries, bad_entry_prefix = '{keys.BAD_ENTRIES}', '{keys.bad_entry_key("")}'
local max_bad_entries, bad_entry_seconds = {MAX_BAD_ENTRIES}, {KEPT_SECONDS}
"""
    """
-- Adds an entry to the list; returns false if the list is full.
local function note_bad_entry(name, reason)
  local kind = redis.call('TYPE', bad_entries).ok
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', bad_entries)
  end
  if redis.call('HLEN', bad_entries) >= max_bad_entries and redis.call('HEXISTS', bad_entries, name) == 0 then
    return false
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', bad_entries, name, string.format('%.0f %s', now, reason))
  return true
end

local function set_aside(key, reason)
  if note_bad_entry(key, reason) then
    redis.call('RENAME', key, bad_entry_prefix .. key)
    redis.call('EXPIRE', bad_entry_prefix .. key, bad_entry_seconds)
  else
    redis.call('UNLINK', key)
  end
end

local function type_for(command)
  local first = string.sub(string.upper(command), 1, 1)
  return first == 'H' and 'hash' or first == 'Z' and 'zset' or 'string'
end

local function call(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then
    return reply
  end
  local command, key, field = ...
  if string.find(reply.err, 'WRONGTYPE', 1, true) then
    set_aside(key, 'it is a ' .. redis.call('TYPE', key).ok .. ' and must be a ' .. type_for(command))
  elseif string.find(reply.err, 'not an integer', 1, true) or string.find(reply.err, 'overflow', 1, true) then
    if command == 'HINCRBY' then
      redis.call('HDEL', key, field)
    else
      set_aside(key, 'it is not a whole number')
    end
  end
  return redis.call(...)
end

local function number(value, default)
  local read = tonumber(value)
  -- NaN is unequal to itself.
  if not read or read ~= read or read < 0 or read > 1e15 then
    return default
  end
  return read
end

-- As strict as Python's decoder.
local function is_utf8(text)
  if not string.find(text, '[\\128-\\255]') then
    return true
  end
  local i, length = 1, #text
  local function continues(from, count, low, high)
    for j = 1, count do
      local byte = string.byte(text, from + j)
      if not byte or byte < (j == 1 and low or 128) or byte > (j == 1 and high or 191) then
        return false
      end
    end
    return true
  end
  while i <= length do
    local byte = string.byte(text, i)
    local more, low, high = 0, 128, 191
    if byte >= 194 and byte <= 223 then
      more = 1
    elseif byte >= 224 and byte <= 239 then
      more, low, high = 2, byte == 224 and 160 or 128, byte == 237 and 159 or 191
    elseif byte >= 240 and byte <= 244 then
      more, low, high = 3, byte == 240 and 144 or 128, byte == 244 and 143 or 191
    elseif byte >= 128 then
      return false
    end
    if not continues(i, more, low, high) then
      return false
    end
    i = i + more + 1
  end
  return true
end
"""
)

# Quarantines a key that a client found to have a wrong type. Returns 0 if its type is right or it is gone.
SET_ASIDE: Final = (
    GUARDED_CALLS
    + """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' or kind == ARGV[1] then
  return 0
end
set_aside(KEYS[1], 'it is a ' .. kind .. ' and must be a ' .. ARGV[1])
return 1
"""
)

# Removes an unreadable field from a hash, and lists it.
DROP_FIELD: Final = (
    GUARDED_CALLS
    + """
local content = call('HGET', KEYS[1], ARGV[1])
if content then
  note_bad_entry(KEYS[1] .. ' ' .. ARGV[1], ARGV[2])
  call('HDEL', KEYS[1], ARGV[1])
end
return 1
"""
)
