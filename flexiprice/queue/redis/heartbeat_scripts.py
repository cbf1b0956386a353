"""Lua scripts of leases: heartbeat, deregistration and closing of an outbox."""

from typing import Final

from flexiprice.queue.redis.bad_entries import GUARDED_CALLS

_MAX_WORKERS: Final = 100
"""Maximum number of workers that one heartbeat returns or declares lost."""

# Renews a worker's lease, and declares workers with expired leases lost.
#
# Returns 1, or 0 if the worker itself is lost; its pending command; the lost workers; the workers with runs
# in their outbox; and the time (s).
HEARTBEAT: Final = (
    GUARDED_CALLS
    + f"local max_workers = {_MAX_WORKERS}\n"
    + """
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
"""
)

# Deregisters a worker. If it leaves jobs behind, it stays listed with an expired lease, and its jobs are
# exonerated because it was stopped. Unrecorded runs stay in its outbox for other workers. Returns 1.
WITHDRAW: Final = (
    GUARDED_CALLS
    + """
local workers, running, record, command, outbox, outbox_workers, lone, exonerated = unpack(KEYS)
local worker, kept = unpack(ARGV)

redis.call('DEL', record, command, lone)
if call('HLEN', running) == 0 then
  call('ZREM', workers, worker)
  if call('HLEN', outbox) > 0 then
    local time = redis.call('TIME')
    local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    call('ZADD', outbox_workers, now, worker)
  end
elseif call('ZSCORE', workers, worker) then
  redis.call('SET', exonerated, '1', 'PX', kept)
  call('ZADD', workers, 'XX', 0, worker)
end
return 1
"""
)

# Removes a worker with an empty outbox from the list. Returns 1, or 0 if the outbox is not empty.
CLOSE_OUTBOX: Final = (
    GUARDED_CALLS
    + """
if call('HLEN', KEYS[2]) > 0 then
  return 0
end
call('ZREM', KEYS[1], ARGV[1])
return 1
"""
)
