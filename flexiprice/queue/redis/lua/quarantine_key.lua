-- Quarantines a key that a client found to have a wrong type.
--
-- KEYS[1] key: the key
-- ARGV[1] wanted: the type that it must have
-- Returns 1, or 0 if its type is right or it is gone.

--- @include "guarded_calls"

local key, wanted = KEYS[1], ARGV[1]
local kind = redis.call('TYPE', key).ok
if kind == 'none' or kind == wanted then
  return 0
end
set_aside(key, 'it is a ' .. kind .. ' and must be a ' .. wanted)
return 1
