-- The list of dead letters.

--- @include "guarded_calls"
--- @constant "dead_letters"
--- @constant "dead_letters_prefix"
--- @constant "dead_letter_reasons"
-- Maximum number of dead letters for a reason. The oldest are dropped; the run history keeps them.
local max_dead_letters = 2500

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
