-- Deregisters a stopped worker.
--
-- KEYS[1] workers: sorted set of the live workers
-- KEYS[2] running: hash of the worker's running jobs
-- KEYS[3] record: published state of the worker
-- KEYS[4] command: pending command of the worker
-- KEYS[5] outbox: hash of the worker's unrecorded runs
-- KEYS[6] outbox_workers: sorted set of the dead workers with unrecorded runs
-- KEYS[7] lone: suspect for which the worker drains
-- KEYS[8] exonerated: mark of the worker's exoneration
-- ARGV[1] worker: id of the worker
-- ARGV[2] kept: how long (ms) the mark is stored
-- Returns 1.
--
-- If it leaves jobs behind, it stays listed with an expired lease, and its jobs are exonerated because it was
-- stopped. Unrecorded runs stay in its outbox for other workers.

--- @include "clock"
--- @include "guarded_calls"

local workers, running, record, command, outbox, outbox_workers, lone, exonerated = unpack(KEYS)
local worker, kept = unpack(ARGV)

redis.call('DEL', record, command, lone)
if call('HLEN', running) == 0 then
  call('ZREM', workers, worker)
  if call('HLEN', outbox) > 0 then
    call('ZADD', outbox_workers, string.format('%.0f', now_ms()), worker)
  end
elseif call('ZSCORE', workers, worker) then
  redis.call('SET', exonerated, '1', 'PX', kept)
  call('ZADD', workers, 'XX', 0, worker)
end
return 1
