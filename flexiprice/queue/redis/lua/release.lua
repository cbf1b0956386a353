-- Releases a claimed job: it has finished, is retried, waits for its children, or is requeued.
--
-- KEYS[1] in_progress: claim on the job
-- KEYS[2] running: hash of the worker's running jobs
-- KEYS[3] job: message of the job
-- KEYS[4] result: result of the job
-- KEYS[5] retry: number of starts of the job
-- KEYS[6] record: record of the job
-- KEYS[7] queue: sorted set of the queue
-- KEYS[8] aborted: sorted set of the jobs to abort
-- KEYS[9] lost_workers: sorted set of the lost workers
-- KEYS[10] outbox: hash of the worker's unrecorded runs
-- ARGV[1] worker: id of the worker
-- ARGV[2] id: id of the job
-- ARGV[3] started: start (ms) of the run
-- ARGV[4] mode: 'finish', 'retry', 'requeue' or 'suspend'; see `ReleaseMode`
-- ARGV[5] loss: kind of the worker's loss if the reaper calls: 'alone', 'beside' or 'exonerated'; else ''
-- ARGV[6] outcome: the result to store; '' for none
-- ARGV[7] kept: how long (ms) result and record are stored
-- ARGV[8] pause: delay (ms) of the next try, or of the check for finished children
-- ARGV[9] wake: channel that wakes the workers of the queue
-- ARGV[10] finished: channel for changes of the job
-- ARGV[11] run_id: id of the run
-- ARGV[12] run_record: the run for the outbox; '' for none
-- ARGV[13] dead_reason: reason of the dead letter; '' for none
-- ARGV[14] dead_letter: content of the dead letter
-- Returns 1, or 0 if the worker no longer holds the claim.
--
-- A lost worker cannot release its jobs. The reaper releases them, and records the kind of loss. The call is
-- idempotent. The run is added to the outbox in the same step.

--- @include "clock"
--- @include "guarded_calls"
--- @include "dead_letters"
--- @include "suspects"
--- @include "children"
--- @constant "awaiting_children"
--- @constant "default_queue"

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
if mode == 'finish' then
  if outcome ~= '' then
    redis.call('SET', result, outcome, 'PX', kept)
  end
  redis.call('DEL', job, retry)
  call('ZREM', aborted, id)
  call('ZREM', queue, id)
  call('ZREM', default_queue, id)
  redis.call('PEXPIRE', record, kept)
  redis.call('PUBLISH', finished, '')
  record_child(id, outcome)
  revoke_children(id, aborted)
  redis.call('DEL', children_prefix .. id)
  call('ZREM', awaiting_children, id)
  if dead_reason == '' then
    remove_dead_letter(id)
  else
    add_dead_letter(dead_reason, id, dead_letter, now_ms())
  end
  return 1
end
if mode == 'retry' then
  call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
else
  -- The worker stopped, or the children have not finished, so this attempt does not count.
  if call('DECR', retry) <= 0 then
    redis.call('DEL', retry)
  end
  call('HDEL', record, 'worker')
  if redis.call('EXISTS', children_prefix .. id) == 0 then
    call('HDEL', record, 'started', 'progress')
  end
  if mode == 'suspend' and #open_children(id) > 0 then
    call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
    call('ZADD', awaiting_children, string.format('%.0f', now_ms()), id)
  end
end
redis.call('PUBLISH', wake, '')
return 1
