"""Lua for the list of dead letters."""

from typing import Final

from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS

REASONS: Final = ("given_up", "corrupt", "unknown_task", "failed")
"""Reasons of dead letters; see `DeadLetterReason`."""
MAX_PER_REASON: Final = 2_500
"""Maximum number of dead letters for a reason. The oldest are dropped; the run history keeps them."""

# Include for scripts that finish jobs; needs `GUARDED_CALLS`.
DEAD_LETTER_FUNCTIONS: Final = (
    f"local dead_letters, dead_letters_prefix = '{keys.DEAD_LETTERS}', '{keys.dead_letters_key('')}'\n"
    f"local dead_letter_reasons = {{{', '.join(repr(reason) for reason in REASONS)}}}\n"
    f"local max_dead_letters = {MAX_PER_REASON}\n"
    """
local function remove_dead_letter(id)
  if call('HDEL', dead_letters, id) == 0 then
    return 0
  end
  for _, reason in ipairs(dead_letter_reasons) do
    call('ZREM', dead_letters_prefix .. reason, id)
  end
  return 1
end

local function add_dead_letter(reason, id, content, now)
  remove_dead_letter(id)
  call('HSET', dead_letters, id, content)
  local list = dead_letters_prefix .. reason
  call('ZADD', list, string.format('%.0f', now), id)
  local over = call('ZCARD', list) - max_dead_letters
  if over > 0 then
    for _, oldest in ipairs(call('ZRANGE', list, 0, math.min(over, 100) - 1)) do
      remove_dead_letter(oldest)
    end
  end
end
"""
)

# Removes dead letters by job id; returns how many there were.
REMOVE_DEAD_LETTERS: Final = (
    GUARDED_CALLS
    + DEAD_LETTER_FUNCTIONS
    + """
local removed = 0
for _, id in ipairs(ARGV) do
  removed = removed + remove_dead_letter(id)
end
return removed
"""
)
