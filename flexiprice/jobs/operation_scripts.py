"""The Lua scripts by which people intervene: each in one round trip, and whole or not at all."""

from typing import Final

from flexiprice.jobs.part_scripts import PART_FUNCTIONS

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
    PART_FUNCTIONS
    + """
local aborted, untold, untold_workers = unpack(KEYS)
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
      redis.call('ZADD', aborted, now, id)
      call_off_parts(id, aborted)
      redis.call('PUBLISH', wake, '')
    end
  elseif redis.call('GET', job_prefix .. id) == body and redis.call('ZREM', queue, id) == 1 then
    outcome = 'revoked'
    redis.call('DEL', job_prefix .. id, retry_prefix .. id)
    redis.call('ZREM', aborted, id)
    redis.call('SET', result_prefix .. id, result, 'PX', retention)
    redis.call('PEXPIRE', record_prefix .. id, retention)
    redis.call('HSET', untold, run_id, note)
    redis.call('ZADD', untold_workers, now, nobody)
    redis.call('PUBLISH', finished_prefix .. id, '')
    note_part(id, result)
  end
  outcomes[#outcomes + 1] = outcome
end
return outcomes
"""
)

# Counts a queue as it stands at one moment. arq leaves running jobs in the queue's set, so that only a
# look at each job tells which of them wait.
#
# Returns the instant (ms), the numbers of jobs that wait and that are deferred, the due time (ms) of the
# first that waits or -1, since when (ms) and by whom the queue is paused or '', and the ids of running jobs,
# of which those that wait for their parts are some.
COUNT: Final = """
local queue, paused_queues = KEYS[1], KEYS[2]
local in_progress_prefix, parts_prefix = ARGV[1], ARGV[2]
local CHUNK = 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local deferred = redis.call('ZCOUNT', queue, '(' .. now_text, '+inf')
local waiting, oldest, running = 0, '-1', {}
local offset = 0
while true do
  local due = redis.call('ZRANGEBYSCORE', queue, '-inf', '+inf', 'WITHSCORES', 'LIMIT', offset, CHUNK)
  if #due == 0 then
    break
  end
  local in_progress = {}
  for i = 1, #due, 2 do
    in_progress[#in_progress + 1] = in_progress_prefix .. due[i]
  end
  local owners = redis.call('MGET', unpack(in_progress))
  for i = 1, #due, 2 do
    local is_due = tonumber(due[i + 1]) <= now
    if owners[(i + 1) / 2] or (not is_due and redis.call('EXISTS', parts_prefix .. due[i]) == 1) then
      running[#running + 1] = due[i]
      if not is_due then
        deferred = deferred - 1
      end
    elseif is_due then
      waiting = waiting + 1
      if oldest == '-1' then
        oldest = due[i + 1]
      end
    end
  end
  offset = offset + CHUNK
end
return {now_text, waiting, deferred, oldest, redis.call('HGET', paused_queues, queue) or '', running}
"""

# Returns 1, or 0 where the schedule is paused already.
PAUSE_SCHEDULE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('HSETNX', KEYS[1], 'paused_at', string.format('%.0f', now)) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'paused_by', ARGV[1])
return 1
"""

# What came due during the pause is over, even where no worker lived to let it pass: no worker that starts
# later may take it for a tick that it has to catch up with.
#
# Returns 1, or 0 where the schedule is not paused.
RESUME_SCHEDULE: Final = """
if redis.call('HDEL', KEYS[1], 'paused_at', 'paused_by') == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last_tick = redis.call('HGET', KEYS[1], 'last_tick')
if not last_tick or tonumber(last_tick) < now then
  redis.call('HSET', KEYS[1], 'last_tick', string.format('%.0f', now))
end
return 1
"""
