"""The Lua scripts by which workers show that they live, and leave: each in one round trip."""

from typing import Final

from flexiprice.queue.redis.bad_entries import GUARDED_CALLS

_TOLD_AT_ONCE: Final = 100
"""Workers of whom one heartbeat tells, or that it declares lost, at most."""

# Renews a worker's lease, and tells it of those whose leases have lapsed.
#
# Returns whether it does not count as lost itself, what it is asked to do, who counts as lost, of whom there
# are runs to be told, and the time (s).
HEARTBEAT: Final = (
    GUARDED_CALLS
    + f"local told_at_once = {_TOLD_AT_ONCE}\n"
    + """
local workers, lost_workers, record, command, outbox_workers = unpack(KEYS)
local worker, said, lease, joining, may_expire_others = unpack(ARGV)

if call('ZSCORE', lost_workers, worker) or (joining == '' and not call('ZSCORE', workers, worker)) then
  return {0, false, {}, {}, ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local before = call('ZSCORE', workers, worker)
redis.call('SET', record, said, 'PX', lease)
call('ZADD', workers, now_text, worker)
-- No worker was heard in the future; from now on its lease runs like any other's.
local ahead = call('ZRANGEBYSCORE', workers, '(' .. now_text, '+inf', 'LIMIT', 0, told_at_once)
for _, id in ipairs(ahead) do
  call('ZADD', workers, now_text, id)
end
-- Where this heartbeat itself had to wait, those of the others may be waiting behind it.
if may_expire_others ~= '' and before and now - before <= lease / 2 then
  local silent = call('ZRANGEBYSCORE', workers, '-inf', string.format('(%.0f', now - lease),
    'LIMIT', 0, told_at_once)
  for _, id in ipairs(silent) do
    call('ZREM', workers, id)
    call('ZADD', lost_workers, now_text, id)
  end
end

local function some_of(list, nobody)
  local ids = {}
  for _, id in ipairs(call('ZRANGE', list, 0, told_at_once - 1)) do
    -- As `worker_fence.session_name` has it: of others no database session can be ended.
    if id == nobody or (string.find(id, '^[%w%p ]+$') and #id <= 45) then
      ids[#ids + 1] = id
    else
      call('ZREM', list, id)
      note_bad_entry(list .. ' ' .. id, 'no worker is called so')
    end
  end
  return ids
end
-- Runs of jobs that no worker ever had, such as those revoked while they waited, are noted under an empty id.
return {1, call('GET', command), some_of(lost_workers), some_of(outbox_workers, ''),
  string.format('%d.%06d', time[1], time[2])}
"""
)

# Takes a worker off the list; one that leaves jobs behind stays on it with its lease lapsed, and the runs
# that it could not write down are left for others to tell. It ends because it was told to, not by its jobs.
WITHDRAW: Final = (
    GUARDED_CALLS
    + """
local workers, running, record, command, untold, outbox_workers, lone, exonerated = unpack(KEYS)
local worker, kept = unpack(ARGV)

redis.call('DEL', record, command, lone)
if call('HLEN', running) == 0 then
  call('ZREM', workers, worker)
  if call('HLEN', untold) > 0 then
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

# Forgets a worker whose runs are all told; returns 1, or 0 where one was noted meanwhile.
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
