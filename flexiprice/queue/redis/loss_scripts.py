"""The Lua that tells which jobs may be what workers die of, and lets those run alone.

A job that ran on a lost worker is a suspect: a worker runs it only while it runs nothing else, whatever its
queue. Only what a worker dies of while it runs a job alone counts against the job. After its first loss,
beside others, a job is a suspect for a moment, so that an ordinary crash does not run ten long jobs one by
one; after another loss, or one alone, it is for good.
"""

from datetime import timedelta
from typing import Final

from flexiprice.queue.arq import to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS

ALONE_AT_FIRST: Final = timedelta(seconds=3)
"""How long a job is to run alone after its first loss, if that was beside other jobs."""
EXONERATION_KEPT: Final = timedelta(hours=1)
"""How long it is known of a worker that its jobs are not to blame for its loss."""
# A worker that is about to run a suspect alone says so again with each look at the queue.
_RESERVED: Final = timedelta(seconds=3)
# How soon the other queues of a worker find that it has run a suspect.
_LOOK_EVERY: Final = timedelta(milliseconds=100)
# How long a worker lets its jobs end for a suspect, at first; twice as long with each time that it was not
# enough. In between it goes on as usual for as long again, so that long jobs stop no queue for good.
_FIRST_DRAIN: Final = timedelta(seconds=5)
_LONGEST_DRAIN: Final = timedelta(hours=1)

# Goes before a script that takes jobs or lets go of them.
LOSS_FUNCTIONS: Final = (
    f"local worker_prefix = '{keys.worker_key('')}'\n"
    f"local reserved_ms, alone_look_every = {to_ms(_RESERVED)}, {to_ms(_LOOK_EVERY)}\n"
    f"local alone_at_first = {to_ms(ALONE_AT_FIRST)}\n"
    f"local first_drain_ms, longest_drain_ms = {to_ms(_FIRST_DRAIN)}, {to_ms(_LONGEST_DRAIN)}\n"
    """
local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_suspect(record)
  local until_ = call('HGET', record, 'suspect')
  return until_ and (until_ == 'always' or clock_ms() < number(until_, 0))
end

-- Whether this worker may begin to let its jobs end for a suspect; no two do so for the same.
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

-- Notes that a worker was lost while it ran a job, and how: 'alone' or 'beside' others, or 'exonerated'.
local function note_loss(record, worker, how)
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

# Says that the jobs of a worker are not to blame for its loss, whether they were given back already or not.
EXONERATE: Final = (
    GUARDED_CALLS
    + """
local mark, recent_deaths = unpack(KEYS)
local worker, record_prefix, kept = ARGV[1], ARGV[2], ARGV[3]

redis.call('SET', mark, '1', 'PX', kept)
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
