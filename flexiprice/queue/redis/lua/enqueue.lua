-- Enqueues a job unless its id is in use.
--
-- KEYS[1] job: message of the job
-- KEYS[2] result: result of the job
-- KEYS[3] in_progress: claim on the job
-- KEYS[4] record: record of the job
-- KEYS[5] queue: sorted set of the queue
-- KEYS[6] aborted: sorted set of the jobs to abort
-- KEYS[7] schedule: hash of the schedule; only for a tick
-- ARGV[1] id: id of the job
-- ARGV[2] body: message of the job
-- ARGV[3] due: due time (ms) of a tick; else ''
-- ARGV[4] defer: delay (ms) until the job is due; not for a tick
-- ARGV[5] expires: time (ms) after which the message expires; '' for never
-- ARGV[6] task: name of the task
-- ARGV[7] queue_name: name of the queue
-- ARGV[8] fingerprint: hash of task and arguments
-- ARGV[9] wake: channel that wakes the workers of the queue
-- ARGV[10] limit: maximum number of jobs in the queue; '' for none
-- ARGV[11..] fields and values of the record: the source of the job
-- Returns {1, fingerprint}; {0, fingerprint of the existing job}; or {-1, ''} if the queue is full.
--
-- Due times are by the clock of Redis, because the clocks of producers and workers may differ.
--
-- The ticks of a schedule are recorded once and in order: one that is not later than the last is skipped. The
-- ticks of a paused schedule are recorded without a job, so that none of them fires after the pause. A tick
-- too far ahead is refused, because the caller's clock is wrong. A last tick in the future was recorded by
-- such a clock and is ignored.

--- @include "clock"
--- @include "guarded_calls"

local job, result, in_progress, record, queue, aborted, schedule = unpack(KEYS)
local id, body, due, defer, expires, task, queue_name, fingerprint, wake, limit = unpack(ARGV, 1, 10)

if redis.call('EXISTS', job, result, in_progress) > 0 or call('ZSCORE', queue, id) then
  return {0, call('HGET', record, 'fingerprint') or ''}
end
local now = now_ms()
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
  'enqueued', string.format('%.0f', now), unpack(ARGV, 11))
if expires ~= '' then
  -- An expired job can still be retried by hand.
  call('HSET', record, 'body', body)
end
-- The revocation of an earlier job of this id must not affect this one.
call('ZREM', aborted, id)
call('ZADD', queue, due, id)
redis.call('PUBLISH', wake, '')
return {1, fingerprint}
