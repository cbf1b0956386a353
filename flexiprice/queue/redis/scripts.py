"""The Lua scripts that change a queue: each in one round trip, and whole or not at all."""

from typing import Final

from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS
from flexiprice.queue.redis.dead_letter_scripts import DEAD_LETTER_FUNCTIONS
from flexiprice.queue.redis.loss_scripts import LOSS_FUNCTIONS
from flexiprice.queue.redis.subjob_scripts import PART_FUNCTIONS

# Puts a job into its queue unless its id is in use. Due times are by the clock of Redis, so those of the
# machines that enqueue and those that work may differ.
#
# A tick of a schedule is taken once, and in order: one that is not later than the last was taken already,
# whatever became of its job. While the schedule is paused its ticks are taken and lead to nothing, so that
# none of them fires when it goes on. A tick that lies further ahead than ticks are enqueued early is refused:
# whoever asks for it has a wrong clock. A last tick in the future was noted by such a one, and is forgotten.
#
# Returns 1; 0 and the fingerprint of the job that has the id; or -1 where the queue is full.
ENQUEUE: Final = (
    GUARDED_CALLS
    + """
local job, result, in_progress, record, queue, aborted, schedule = unpack(KEYS)
local id, body, due, defer, expires, task, queue_name, fingerprint, wake, limit = unpack(ARGV)
local origin_from = 11

if redis.call('EXISTS', job, result, in_progress) > 0 or call('ZSCORE', queue, id) then
  return {0, call('HGET', record, 'fingerprint') or ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if schedule then
  local latest = now + 5000
  if tonumber(due) > latest then
    return {0, fingerprint}
  end
  local last_tick = number(call('HGET', schedule, 'last_tick'), 0)
  if last_tick <= latest and tonumber(due) <= last_tick then
    return {0, fingerprint}
  end
  call('HSET', schedule, 'last_tick', due)
  if call('HEXISTS', schedule, 'paused_at') == 1 then
    return {0, fingerprint}
  end
end
if limit ~= '' and call('ZCARD', queue) >= tonumber(limit) then
  return {-1, ''}
end

if due == '' then
  due = now + tonumber(defer)
end
if expires == '' then
  redis.call('SET', job, body)
else
  redis.call('SET', job, body, 'PX', expires)
end
redis.call('DEL', record)
call('HSET', record, 'task', task, 'queue', queue_name, 'fingerprint', fingerprint,
  'enqueued', string.format('%.0f', now), unpack(ARGV, origin_from))
if expires ~= '' then
  -- What has expired can still be tried again by hand.
  call('HSET', record, 'body', body)
end
-- What called off an earlier job of this id must not call off this one.
call('ZREM', aborted, id)
call('ZADD', queue, due, id)
redis.call('PUBLISH', wake, '')
return {1, fingerprint}
"""
)

# Lets go of a job that a worker has taken: it has ended, is to be tried again, waits for its parts, or is
# given back.
#
# A worker that counts as lost can do nothing of it; whoever found it lost does it in its stead, and notes how
# it was lost: `alone` with the job, `beside` others or `exonerated`. A call whose answer was lost may be
# repeated. What is told of the run is noted in the same step, until the history knows of it.
#
# Returns 1, or 0 where the job is not the worker's any more.
RELEASE: Final = (
    GUARDED_CALLS
    + DEAD_LETTER_FUNCTIONS
    + LOSS_FUNCTIONS
    + PART_FUNCTIONS
    + f"local awaiting_parts = '{keys.AWAITING_PARTS}'\n"
    + """
local in_progress, running, job, result, retry, record, queue, aborted, lost_workers, untold = unpack(KEYS)
local worker, id, started, how, lost, outcome, kept, pause, wake, finished, run_id, note,
  dead_reason, dead_letter = unpack(ARGV)

if lost == '' and call('ZSCORE', lost_workers, worker) then
  return 0
end
call('HDEL', running, id)
local run = worker .. ':' .. started
if call('GET', in_progress) ~= worker then
  return call('HGET', record, 'ended') == run and 1 or 0
end
redis.call('DEL', in_progress)
call('HSET', record, 'ended', run)
if note ~= '' then
  call('HSET', untold, run_id, note)
end
if lost ~= '' then
  note_loss(record, worker, lost)
end
if how == 'end' then
  if outcome ~= '' then
    redis.call('SET', result, outcome, 'PX', kept)
  end
  redis.call('DEL', job, retry)
  call('ZREM', aborted, id)
  call('ZREM', queue, id)
  call('ZREM', default_queue, id)
  redis.call('PEXPIRE', record, kept)
  redis.call('PUBLISH', finished, '')
  note_part(id, outcome)
  call_off_parts(id, aborted)
  redis.call('DEL', parts_prefix .. id)
  call('ZREM', awaiting_parts, id)
  if dead_reason == '' then
    remove_dead_letter(id)
  else
    add_dead_letter(dead_reason, id, dead_letter, now_ms())
  end
  return 1
end
if how == 'again' then
  call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
else
  -- It was the worker that ended, or its parts have yet to, so the try does not count.
  if call('DECR', retry) <= 0 then
    redis.call('DEL', retry)
  end
  call('HDEL', record, 'worker')
  if redis.call('EXISTS', parts_prefix .. id) == 0 then
    call('HDEL', record, 'started', 'progress')
  end
  if how == 'wait' and #open_parts(id) > 0 then
    call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
    call('ZADD', awaiting_parts, string.format('%.0f', now_ms()), id)
  end
end
redis.call('PUBLISH', wake, '')
return 1
"""
)

# Notes how far a job has come, if it is still this worker's.
REPORT_PROGRESS: Final = (
    GUARDED_CALLS
    + """
local in_progress, record = unpack(KEYS)
local worker, channel, progress = unpack(ARGV)

if call('GET', in_progress) ~= worker then
  return 0
end
call('HSET', record, 'progress', progress)
redis.call('PUBLISH', channel, '')
return 1
"""
)
