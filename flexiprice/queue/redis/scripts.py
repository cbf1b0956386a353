"""Lua scripts of a job's life: enqueue, release and progress. Each is atomic and takes one round trip."""

from typing import Final

from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS
from flexiprice.queue.redis.dead_letter_scripts import DEAD_LETTER_FUNCTIONS
from flexiprice.queue.redis.loss_scripts import LOSS_FUNCTIONS
from flexiprice.queue.redis.subjob_scripts import PART_FUNCTIONS

# Enqueues a job unless its id is in use. Due times are by the clock of Redis, because the clocks of producers
# and workers may differ.
#
# The ticks of a schedule are recorded once and in order: one that is not later than the last is skipped. The
# ticks of a paused schedule are recorded without a job, so that none of them fires after the pause. A tick
# too far ahead is refused, because the caller's clock is wrong. A last tick in the future was recorded by
# such a clock and is ignored.
#
# Returns 1; 0 and the fingerprint of the existing job; or -1 if the queue is full.
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
  -- An expired job can still be retried by hand.
  call('HSET', record, 'body', body)
end
-- The revocation of an earlier job of this id must not affect this one.
call('ZREM', aborted, id)
call('ZADD', queue, due, id)
redis.call('PUBLISH', wake, '')
return {1, fingerprint}
"""
)

# Releases a claimed job: it has finished, is retried, waits for its children, or is requeued.
#
# A lost worker cannot release its jobs. The reaper releases them, and records the kind of loss: `alone` with
# the job, `beside` others or `exonerated`. The call is idempotent. The run is added to the outbox in the same
# step.
#
# Returns 1, or 0 if the worker no longer holds the claim.
RELEASE: Final = (
    GUARDED_CALLS
    + DEAD_LETTER_FUNCTIONS
    + LOSS_FUNCTIONS
    + PART_FUNCTIONS
    + f"local awaiting_parts = '{keys.AWAITING_PARTS}'\n"
    + """
local in_progress, running, job, result, retry, record, queue, aborted, lost_workers, outbox = unpack(KEYS)
local worker, id, started, mode, loss, outcome, kept, pause, wake, finished, run_id, run_record,
  dead_reason, dead_letter = unpack(ARGV)

if loss == '' and call('ZSCORE', lost_workers, worker) then
  return 0
end
call('HDEL', running, id)
local run = worker .. ':' .. started
if call('GET', in_progress) ~= worker then
  return call('HGET', record, 'ended') == run and 1 or 0
end
redis.call('DEL', in_progress)
call('HSET', record, 'ended', run)
if run_record ~= '' then
  call('HSET', outbox, run_id, run_record)
end
if loss ~= '' then
  record_loss(record, worker, loss)
end
if mode == 'end' then
  if outcome ~= '' then
    redis.call('SET', result, outcome, 'PX', kept)
  end
  redis.call('DEL', job, retry)
  call('ZREM', aborted, id)
  call('ZREM', queue, id)
  call('ZREM', default_queue, id)
  redis.call('PEXPIRE', record, kept)
  redis.call('PUBLISH', finished, '')
  record_part(id, outcome)
  revoke_parts(id, aborted)
  redis.call('DEL', parts_prefix .. id)
  call('ZREM', awaiting_parts, id)
  if dead_reason == '' then
    remove_dead_letter(id)
  else
    add_dead_letter(dead_reason, id, dead_letter, now_ms())
  end
  return 1
end
if mode == 'again' then
  call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
else
  -- The worker stopped, or the children have not finished, so this attempt does not count.
  if call('DECR', retry) <= 0 then
    redis.call('DEL', retry)
  end
  call('HDEL', record, 'worker')
  if redis.call('EXISTS', parts_prefix .. id) == 0 then
    call('HDEL', record, 'started', 'progress')
  end
  if mode == 'wait' and #open_parts(id) > 0 then
    call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
    call('ZADD', awaiting_parts, string.format('%.0f', now_ms()), id)
  end
end
redis.call('PUBLISH', wake, '')
return 1
"""
)

# Stores the progress of a job if the worker still holds the claim. Returns 1, or 0 without a claim.
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
