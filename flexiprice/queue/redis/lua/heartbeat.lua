-- Renews a worker's lease, and declares workers with expired leases lost.
--
-- KEYS[1] workers: sorted set of the live workers
-- KEYS[2] lost_workers: sorted set of the lost workers
-- KEYS[3] record: published state of the worker
-- KEYS[4] command: pending command of the worker
-- KEYS[5] outbox_workers: sorted set of the dead workers with unrecorded runs
-- ARGV[1] worker: id of the worker
-- ARGV[2] state: the encoded state
-- ARGV[3] lease: length (ms) of the lease
-- ARGV[4] joining: '1' for the first heartbeat; else ''
-- ARGV[5] may_expire_others: '1' if it may declare others lost; else ''
-- Returns 1, or 0 if the worker itself is lost; its pending command; the lost workers; the workers with
-- unrecorded runs; and the time (s).

--- @include "guarded_calls"

-- Maximum number of workers that one heartbeat returns or declares lost.
local max_workers = 100
local workers, lost_workers, record, command, outbox_workers = unpack(KEYS)
local worker, state, lease, joining, may_expire_others = unpack(ARGV)

if call('ZSCORE', lost_workers, worker) or (joining == '' and not call('ZSCORE', workers, worker)) then
  return {0, false, {}, {}, ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local before = call('ZSCORE', workers, worker)
redis.call('SET', record, state, 'PX', lease)
call('ZADD', workers, now_text, worker)
-- A heartbeat in the future comes from a clock that was set back; its lease restarts now.
local ahead = call('ZRANGEBYSCORE', workers, '(' .. now_text, '+inf', 'LIMIT', 0, max_workers)
for _, id in ipairs(ahead) do
  call('ZADD', workers, now_text, id)
end
-- If this heartbeat was delayed, those of other workers may be delayed too.
if may_expire_others ~= '' and before and now - before <= lease / 2 then
  local silent = call('ZRANGEBYSCORE', workers, '-inf', string.format('(%.0f', now - lease),
    'LIMIT', 0, max_workers)
  for _, id in ipairs(silent) do
    call('ZREM', workers, id)
    call('ZADD', lost_workers, now_text, id)
  end
end

local function valid_ids(list, no_worker)
  local ids = {}
  for _, id in ipairs(call('ZRANGE', list, 0, max_workers - 1)) do
    -- The format of `fencing.session_name`: without it no database session can be ended.
    if id == no_worker or (string.find(id, '^[%w%p ]+$') and #id <= 45) then
      ids[#ids + 1] = id
    else
      call('ZREM', list, id)
      note_bad_entry(list .. ' ' .. id, 'no worker is called so')
    end
  end
  return ids
end
-- Runs of jobs without a worker, such as those revoked while they waited, have an empty worker id.
return {1, call('GET', command), valid_ids(lost_workers), valid_ids(outbox_workers, ''),
  string.format('%d.%06d', time[1], time[2])}
