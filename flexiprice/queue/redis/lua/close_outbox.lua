-- Removes a worker with an empty outbox from the list of workers with unrecorded runs.
--
-- KEYS[1] outbox_workers: sorted set of the dead workers with unrecorded runs
-- KEYS[2] outbox: hash of the worker's unrecorded runs
-- ARGV[1] worker: id of the worker
-- Returns 1, or 0 if the outbox is not empty.

--- @include "guarded_calls"

local outbox_workers, outbox = unpack(KEYS)
local worker = ARGV[1]
if call('HLEN', outbox) > 0 then
  return 0
end
call('ZREM', outbox_workers, worker)
return 1
