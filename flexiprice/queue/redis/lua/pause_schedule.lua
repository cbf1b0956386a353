-- Pauses a schedule.
--
-- KEYS[1] schedule: hash of the schedule
-- ARGV[1] actor: who pauses it
-- Returns 1, or 0 if it is paused already.

--- @include "clock"
--- @include "guarded_calls"

local schedule, actor = KEYS[1], ARGV[1]
if call('HSETNX', schedule, 'paused_at', string.format('%.0f', now_ms())) == 0 then
  return 0
end
call('HSET', schedule, 'paused_by', actor)
return 1
