"""Lua scripts of operators: revoke, count, pause, resume. Each is atomic and takes one round trip."""

from typing import Final

from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS
from flexiprice.queue.redis.subjob_scripts import PART_FUNCTIONS

# Revokes jobs. A waiting job is removed from its queue and gets the given result. A running job is marked for
# cancellation if the caller wants that. The mark is deleted when the job ends, so it cannot affect a later
# job of the same id.
#
# ARGV has for each job: id, queue, wake channel, the message from which the result was built, the result, and
# the run for the outbox with its id. Returns for each job `revoked`, `running`, or `changed` if the message
# differs.
#
# A job that waits for its children is running. They are revoked with it, and it ends when they have.
REVOKE: Final = (
    GUARDED_CALLS
    + PART_FUNCTIONS
    + """
local aborted, outbox, outbox_workers = unpack(KEYS)
local job_prefix, result_prefix, in_progress_prefix, retry_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local record_prefix, finished_prefix = ARGV[5], ARGV[6]
local retention, tell_workers, no_worker = ARGV[7], ARGV[8] == '1', ARGV[9]

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local outcomes = {}
for i = 10, #ARGV, 7 do
  local id, queue, wake, body, result, run_id, run_record = unpack(ARGV, i, i + 6)
  local outcome = 'changed'
  if redis.call('EXISTS', in_progress_prefix .. id, parts_prefix .. id) > 0 then
    outcome = 'running'
    if tell_workers then
      call('ZADD', aborted, now, id)
      revoke_parts(id, aborted)
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
    record_part(id, result)
  end
  outcomes[#outcomes + 1] = outcome
end
return outcomes
"""
)

# Counts the jobs of a queue at one moment, in bounded time for any length. arq leaves running jobs in the
# queue's set, so the script reads the running jobs from the workers' lists and subtracts them.
#
# Returns the time (ms), the numbers of waiting and deferred jobs, the due time (ms) of the oldest waiting job
# or -1, start (ms) and actor of the pause or '', and the ids of running jobs, including those that wait for
# their children.
COUNT: Final = (
    GUARDED_CALLS
    + f"local worker_prefix, awaiting_parts = '{keys.worker_key('')}', '{keys.AWAITING_PARTS}'\n"
    + """
local queue, paused_queues, workers, lost_workers = unpack(KEYS)
local queue_name = ARGV[1]
local MOST, CHUNK = 1000, 100

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local waiting = call('ZCOUNT', queue, '-inf', now_text)
local deferred = call('ZCOUNT', queue, '(' .. now_text, '+inf')
local running, runs = {}, {}

local function add_running(id, awaits_children)
  local due = not runs[id] and call('ZSCORE', queue, id)
  if not due or (awaits_children and tonumber(due) <= now) then
    return
  end
  runs[id] = true
  running[#running + 1] = id
  if tonumber(due) <= now then
    waiting = waiting - 1
  else
    deferred = deferred - 1
  end
end

for _, list in ipairs({workers, lost_workers}) do
  for _, worker in ipairs(call('ZRANGE', list, 0, MOST - 1)) do
    local jobs = call('HGETALL', worker_prefix .. worker .. ':running')
    for i = 1, #jobs, 2 do
      if string.sub(jobs[i + 1], 1, #queue_name + 1) == queue_name .. ':' then
        add_running(jobs[i], false)
      end
    end
  end
end
for _, id in ipairs(call('ZRANGE', awaiting_parts, 0, MOST - 1)) do
  add_running(id, true)
end

local oldest, offset = '-1', 0
while waiting > 0 and oldest == '-1' and offset <= #running do
  local due = call('ZRANGEBYSCORE', queue, '-inf', now_text, 'WITHSCORES', 'LIMIT', offset, CHUNK)
  for i = 1, #due, 2 do
    if oldest == '-1' and not runs[due[i]] then
      oldest = number(due[i + 1]) and due[i + 1] or now_text
    end
  end
  offset = offset + CHUNK
end
return {now_text, waiting, deferred, oldest, call('HGET', paused_queues, queue) or '', running}
"""
)

# Pauses a schedule. Returns 1, or 0 if it is paused already.
PAUSE_SCHEDULE: Final = (
    GUARDED_CALLS
    + """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if call('HSETNX', KEYS[1], 'paused_at', string.format('%.0f', now)) == 0 then
  return 0
end
call('HSET', KEYS[1], 'paused_by', ARGV[1])
return 1
"""
)

# Resumes a schedule. Sets its last tick to now, so that no worker catches up the ticks of the pause.
#
# Returns 1, or 0 if the schedule is not paused.
RESUME_SCHEDULE: Final = (
    GUARDED_CALLS
    + """
if call('HDEL', KEYS[1], 'paused_at', 'paused_by') == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last_tick = call('HGET', KEYS[1], 'last_tick')
if not last_tick or number(last_tick, 0) < now then
  call('HSET', KEYS[1], 'last_tick', string.format('%.0f', now))
end
return 1
"""
)
