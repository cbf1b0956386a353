-- Revokes jobs that wait, and marks running ones for cancellation if the caller wants that.
--
-- KEYS[1] aborted: sorted set of the jobs to abort
-- KEYS[2] outbox: hash of the unrecorded runs without a worker
-- KEYS[3] outbox_workers: sorted set of the dead workers with unrecorded runs
-- ARGV[1] job_prefix: prefix of the messages of jobs
-- ARGV[2] result_prefix: prefix of results
-- ARGV[3] in_progress_prefix: prefix of claims
-- ARGV[4] retry_prefix: prefix of the numbers of starts
-- ARGV[5] record_prefix: prefix of the records of jobs
-- ARGV[6] finished_prefix: prefix of the channels for changes of jobs
-- ARGV[7] retention: how long (ms) results and records are stored
-- ARGV[8] tell_workers: '1' to cancel running jobs; else '0'
-- ARGV[9] no_worker: worker id of runs without a worker
-- ARGV[10..] for each job: id, queue, wake channel, message from which the result was built, result, id of
-- the run, and the run for the outbox
-- Returns for each job 'revoked', 'running', or 'changed' if the message differs.
--
-- A waiting job is removed from its queue and gets the given result. The mark of a running job is deleted
-- when the job ends, so it cannot affect a later job of the same id. A job that waits for its children is
-- running. They are revoked with it, and it ends when they have.

--- @include "clock"
--- @include "guarded_calls"
--- @include "children"
--- @constant "default_queue"

local aborted, outbox, outbox_workers = unpack(KEYS)
local job_prefix, result_prefix, in_progress_prefix, retry_prefix, record_prefix, finished_prefix,
  retention, tell_workers, no_worker = unpack(ARGV, 1, 9)

local now = string.format('%.0f', now_ms())
local outcomes = {}
for i = 10, #ARGV, 7 do
  local id, queue, wake, body, result, run_id, run_record = unpack(ARGV, i, i + 6)
  local outcome = 'changed'
  if redis.call('EXISTS', in_progress_prefix .. id, children_prefix .. id) > 0 then
    outcome = 'running'
    if tell_workers == '1' then
      call('ZADD', aborted, now, id)
      revoke_children(id, aborted)
      redis.call('PUBLISH', wake, '')
    end
  elseif call('GET', job_prefix .. id) == body and call('ZREM', queue, id) == 1 then
    outcome = 'revoked'
    redis.call('DEL', job_prefix .. id, retry_prefix .. id)
    call('ZREM', aborted, id)
    call('ZREM', default_queue, id)
    redis.call('SET', result_prefix .. id, result, 'PX', retention)
    redis.call('PEXPIRE', record_prefix .. id, retention)
    call('HSET', outbox, run_id, run_record)
    call('ZADD', outbox_workers, now, no_worker)
    redis.call('PUBLISH', finished_prefix .. id, '')
    record_child(id, result)
  end
  outcomes[#outcomes + 1] = outcome
end
return outcomes
