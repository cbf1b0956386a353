-- Removes an unreadable field from a hash, and lists it as a bad entry.
--
-- KEYS[1] hash: the hash
-- ARGV[1] field: the field
-- ARGV[2] reason: the problem, for people
-- Returns 1.

--- @include "guarded_calls"

local hash = KEYS[1]
local field, reason = unpack(ARGV)
local content = call('HGET', hash, field)
if content then
  note_bad_entry(hash .. ' ' .. field, reason)
  call('HDEL', hash, field)
end
return 1
