"""Lua for suspects: jobs that may have killed a worker run alone.

A job that ran on a lost worker is a suspect: a worker runs it only while it runs nothing else, in any queue.
Only the death of a worker that ran nothing else counts against a job. After its first loss beside others, a
job is a suspect only briefly: an ordinary crash must not make ten long jobs run one by one. After another
loss, or one alone, it stays a suspect.
"""

from datetime import timedelta
from typing import Final

from flexiprice.queue.arq import to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS

ALONE_AT_FIRST: Final = timedelta(seconds=3)
"""How long a job is a suspect after its first loss, if that was beside other jobs."""
EXONERATION_KEPT: Final = timedelta(hours=1)
"""How long the exoneration of a worker's jobs is stored."""
# TTL of a worker's drain for a suspect; each poll renews it.
_DRAIN_TTL: Final = timedelta(seconds=3)
# Polling interval of a worker's other queues while it runs a suspect.
_SUSPECT_POLL: Final = timedelta(milliseconds=100)
# Length of the first drain for a suspect; it doubles with each drain that was too short. After a drain the
# worker claims as usual for the same time, so that long jobs cannot stop a queue.
_FIRST_DRAIN: Final = timedelta(seconds=5)
_MAX_DRAIN: Final = timedelta(hours=1)

# Include for scripts that claim or release jobs; needs `GUARDED_CALLS`.
LOSS_FUNCTIONS: Final = (
    f"local worker_prefix = '{keys.worker_key('')}'\n"
    f"local reserved_ms, alone_look_every = {to_ms(_DRAIN_TTL)}, {to_ms(_SUSPECT_POLL)}\n"
    f"local alone_at_first = {to_ms(ALONE_AT_FIRST)}\n"
    f"local first_drain_ms, longest_drain_ms = {to_ms(_FIRST_DRAIN)}, {to_ms(_MAX_DRAIN)}\n"
    """
local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_suspect(record)
  local until_ = call('HGET', record, 'suspect')
  return until_ and (until_ == 'always' or clock_ms() < number(until_, 0))
end

-- Whether this worker may start to drain for a suspect; only one worker drains for each.
local function may_drain_for(record, worker, now)
  local by, until_, again = unpack(call('HMGET', record, 'drain_by', 'drain_until', 'drain_again'))
  if by and by ~= worker and now < number(until_, 0)
      and redis.call('EXISTS', worker_prefix .. by .. ':lone') == 1 then
    return false
  end
  return now >= number(again, 0)
end

local function begin_drain(record, worker, now)
  local tries = math.max(1, math.min(call('HINCRBY', record, 'drains', 1), 20))
  local length = math.min(first_drain_ms * 2 ^ (tries - 1), longest_drain_ms)
  call('HSET', record, 'drain_by', worker, 'drain_until', string.format('%.0f', now + length),
    'drain_again', string.format('%.0f', now + 2 * length))
end

local function end_drain(record, lone)
  redis.call('DEL', lone)
  call('HDEL', record, 'drain_by', 'drain_until', 'drain_again', 'drains')
end

-- Records the loss of a job's worker and its kind: 'alone', 'beside' others or 'exonerated'.
local function record_loss(record, worker, how)
  if redis.call('EXISTS', worker_prefix .. worker .. ':exonerated') == 1 then
    how = 'exonerated'
  end
  call('HINCRBY', record, 'losses', 1)
  if how == 'exonerated' then
    return
  end
  local again = how == 'alone' or call('HEXISTS', record, 'suspect') == 1
  call('HSET', record, 'loss:' .. worker, how,
    'suspect', again and 'always' or string.format('%.0f', clock_ms() + alone_at_first))
  if how == 'alone' then
    call('HINCRBY', record, 'lone_losses', 1)
  end
end
"""
)

# Exonerates the jobs of a lost worker, whether they are requeued already or not. Returns 1.
EXONERATE: Final = (
    GUARDED_CALLS
    + """
local exonerated, recent_deaths = unpack(KEYS)
local worker, record_prefix, kept = ARGV[1], ARGV[2], ARGV[3]

redis.call('SET', exonerated, '1', 'PX', kept)
call('ZREM', recent_deaths, worker)
for i = 4, #ARGV do
  local record = record_prefix .. ARGV[i]
  local how = call('HGET', record, 'loss:' .. worker)
  if how then
    call('HDEL', record, 'loss:' .. worker)
    if how == 'alone' then
      call('HINCRBY', record, 'lone_losses', -1)
    end
    local others = false
    for _, field in ipairs(call('HKEYS', record)) do
      others = others or string.sub(field, 1, 5) == 'loss:'
    end
    if not others then
      call('HDEL', record, 'suspect')
    end
  end
end
return 1
"""
)
