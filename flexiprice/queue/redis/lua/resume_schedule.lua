-- Resumes a schedule.
--
-- KEYS[1] schedule: hash of the schedule
-- Returns 1, or 0 if it is not paused.
--
-- Its last tick is set to now, so that no worker catches up the ticks of the pause.

--- @include "clock"
--- @include "guarded_calls"

local schedule = KEYS[1]
if call('HDEL', schedule, 'paused_at', 'paused_by') == 0 then
  return 0
end
local now = now_ms()
local last_tick = call('HGET', schedule, 'last_tick')
if not last_tick or number(last_tick, 0) < now then
  call('HSET', schedule, 'last_tick', string.format('%.0f', now))
end
return 1
