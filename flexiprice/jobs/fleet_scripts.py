"""The Lua scripts by which workers show that they live, and leave: each in one round trip."""

from typing import Final

# Renews a worker's lease, and tells it of those whose leases have lapsed.
#
# Returns whether it does not count as lost itself, what it is asked to do, who counts as lost, and of whom
# there are runs to be told.
HEARTBEAT: Final = """
local workers, lost_workers, record, command, untold_workers = unpack(KEYS)
local worker, said, lease, joining, may_declare = unpack(ARGV)

if redis.call('ZSCORE', lost_workers, worker) or
    (joining == '' and not redis.call('ZSCORE', workers, worker)) then
  return {0, false, {}, {}}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('ZSCORE', workers, worker)
redis.call('SET', record, said, 'PX', lease)
redis.call('ZADD', workers, string.format('%.0f', now), worker)
-- Where this heartbeat itself had to wait, those of the others may be waiting behind it.
if may_declare ~= '' and before and now - before <= lease / 2 then
  local silent = redis.call('ZRANGEBYSCORE', workers, '-inf', string.format('(%.0f', now - lease))
  for _, id in ipairs(silent) do
    redis.call('ZREM', workers, id)
    redis.call('ZADD', lost_workers, string.format('%.0f', now), id)
  end
end
return {1, redis.call('GET', command), redis.call('ZRANGE', lost_workers, 0, -1),
  redis.call('ZRANGE', untold_workers, 0, -1)}
"""

# Takes a worker off the list; one that leaves jobs behind stays on it with its lease lapsed, and the runs
# that it could not write down are left for others to tell.
WITHDRAW: Final = """
local workers, running, record, command, untold, untold_workers = unpack(KEYS)
local worker = ARGV[1]

redis.call('DEL', record, command)
if redis.call('HLEN', running) == 0 then
  redis.call('ZREM', workers, worker)
  if redis.call('HLEN', untold) > 0 then
    local time = redis.call('TIME')
    local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    redis.call('ZADD', untold_workers, now, worker)
  end
else
  redis.call('ZADD', workers, 'XX', 0, worker)
end
return 1
"""

# Forgets a worker whose runs are all told; returns 1, or 0 where one was noted meanwhile.
ALL_TOLD: Final = """
if redis.call('HLEN', KEYS[2]) > 0 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
"""
