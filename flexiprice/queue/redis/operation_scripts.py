"""The Lua scripts by which people intervene: each in one round trip, and whole or not at all."""

from typing import Final

from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS
from flexiprice.queue.redis.subjob_scripts import PART_FUNCTIONS

# Calls jobs off. One that waits leaves its queue and gets the result that was made for it; one that runs
# is told of to its worker, if the caller wants that. The note to the worker goes with the job's end, so it
# can never meet a later job of the same id.
#
# Of each job it is told id, queue, wake channel, the definition that the result was made from, the result,
# and what is to be told to the history by the next worker that lives, under which id. Returns for each what
# it is or has become: revoked, running, or changed, where it is no longer the job that the caller saw.
#
# One that waits for its parts is running. They are called off with it, and it ends when they have.
REVOKE: Final = (
    GUARDED_CALLS
    + PART_FUNCTIONS
    + """
local aborted, untold, outbox_workers = unpack(KEYS)
local job_prefix, result_prefix, in_progress_prefix, retry_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local record_prefix, finished_prefix = ARGV[5], ARGV[6]
local retention, tell_workers, nobody = ARGV[7], ARGV[8] == '1', ARGV[9]

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local outcomes = {}
for i = 10, #ARGV, 7 do
  local id, queue, wake, body, result, run_id, note = unpack(ARGV, i, i + 6)
  local outcome = 'changed'
  if redis.call('EXISTS', in_progress_prefix .. id, parts_prefix .. id) > 0 then
    outcome = 'running'
    if tell_workers then
      call('ZADD', aborted, now, id)
      call_off_parts(id, aborted)
      redis.call('PUBLISH', wake, '')
    end
  elseif call('GET', job_prefix .. id) == body and call('ZREM', queue, id) == 1 then
    outcome = 'revoked'
    redis.call('DEL', job_prefix .. id, retry_prefix .. id)
    call('ZREM', aborted, id)
    call('ZREM', default_queue, id)
    redis.call('SET', result_prefix .. id, result, 'PX', retention)
    redis.call('PEXPIRE', record_prefix .. id, retention)
    call('HSET', untold, run_id, note)
    call('ZADD', outbox_workers, now, nobody)
    redis.call('PUBLISH', finished_prefix .. id, '')
    note_part(id, result)
  end
  outcomes[#outcomes + 1] = outcome
end
return outcomes
"""
)

# Counts a queue as it stands at one moment, however long it is: arq leaves running jobs in the queue's set,
# so those are found in their workers' lists and taken off the numbers.
#
# Returns the instant (ms), the numbers of jobs that wait and that are deferred, the due time (ms) of the
# first that waits or -1, since when (ms) and by whom the queue is paused or '', and the ids of running jobs,
# of which those that wait for their parts are some.
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

local function note_running(id, awaits_children)
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
        note_running(jobs[i], false)
      end
    end
  end
end
for _, id in ipairs(call('ZRANGE', awaiting_parts, 0, MOST - 1)) do
  note_running(id, true)
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

# Returns 1, or 0 where the schedule is paused already.
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

# What came due during the pause is over, even where no worker lived to let it pass: no worker that starts
# later may take it for a tick that it has to catch up with.
#
# Returns 1, or 0 where the schedule is not paused.
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
