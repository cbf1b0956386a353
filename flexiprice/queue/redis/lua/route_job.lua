-- Routes one job from arq's default queue to the queue of its task, unless another worker has.
--
-- KEYS[1] default: sorted set of arq's default queue
-- KEYS[2] job: message of the job
-- KEYS[3] result: result of the job
-- KEYS[4] in_progress: claim on the job
-- KEYS[5] record: record of the job
-- KEYS[6] queue: sorted set of the queue of its task
-- ARGV[1] id: id of the job
-- ARGV[2] task: name of the task; '' if unknown
-- ARGV[3] queue_name: name of the queue
-- ARGV[4] notify: channel that wakes the workers of the queue
-- ARGV[5] limit: maximum number of jobs in the queue
-- Returns 1; 0 if there is nothing to route; or -1 if the queue is full and the job stays in place.

--- @include "clock"
--- @include "guarded_calls"
--- @constant "routed_score"

local default, job, result, in_progress, record, queue = unpack(KEYS)
local id, task, queue_name, notify, limit = unpack(ARGV)

local due = call('ZSCORE', default, id)
if not due or tonumber(due) <= routed_score then
  return 0
end
if redis.call('EXISTS', result, in_progress) > 0 or call('ZSCORE', queue, id) then
  call('ZREM', default, id)
  return 0
end
if call('ZCARD', queue) >= tonumber(limit) then
  return -1
end
redis.call('DEL', record)
call('HSET', record, 'queue', queue_name, 'enqueued', string.format('%.0f', now_ms()))
if task ~= '' then
  call('HSET', record, 'task', task)
end
call('ZADD', queue, due, id)
call('ZADD', default, routed_score, id)
redis.call('PUBLISH', notify, '')
return 1
