-- Removes entries with invalid ids from arq's default queue, and lists them as bad entries.
--
-- KEYS[1] default: sorted set of arq's default queue
-- ARGV[1..] the invalid ids
-- Returns nothing.
--
-- They would stay at the head of the queue forever.

--- @include "guarded_calls"

local default = KEYS[1]
for _, id in ipairs(ARGV) do
  if call('ZREM', default, id) == 1 then
    note_bad_entry(default .. ' ' .. id, 'its id is not printable UTF-8 of 1 to 200 characters')
  end
end
