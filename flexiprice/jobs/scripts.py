"""The Lua scripts that change a queue: each in one round trip, and whole or not at all."""

from typing import Final

from flexiprice.jobs.part_scripts import PART_FUNCTIONS

# Puts a job into its queue unless its id is in use. Due times are by the clock of Redis, so those of the
# machines that enqueue and those that work may differ.
#
# A tick of a schedule is taken once, and in order: one that is not later than the last was taken already,
# whatever became of its job. While the schedule is paused its ticks are taken and lead to nothing, so that
# none of them fires when it goes on.
#
# Returns 1; 0 and the fingerprint of the job that has the id; or -1 where the queue is full.
ENQUEUE: Final = """
local job, result, in_progress, record, queue, aborted, schedule = unpack(KEYS)
local id, body, due, defer, expires, task, queue_name, fingerprint, wake, limit = unpack(ARGV)
local origin_from = 11

if redis.call('EXISTS', job, result, in_progress) > 0 or redis.call('ZSCORE', queue, id) then
  return {0, redis.call('HGET', record, 'fingerprint') or ''}
end
if schedule ~= '' then
  local last_tick = redis.call('HGET', schedule, 'last_tick')
  if last_tick and tonumber(due) <= tonumber(last_tick) then
    return {0, fingerprint}
  end
  redis.call('HSET', schedule, 'last_tick', due)
  if redis.call('HEXISTS', schedule, 'paused_at') == 1 then
    return {0, fingerprint}
  end
end
if limit ~= '' and redis.call('ZCARD', queue) >= tonumber(limit) then
  return {-1, ''}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if due == '' then
  due = now + tonumber(defer)
end
if expires == '' then
  redis.call('SET', job, body)
else
  redis.call('SET', job, body, 'PX', expires)
end
redis.call('DEL', record)
redis.call('HSET', record, 'task', task, 'queue', queue_name, 'fingerprint', fingerprint,
  'enqueued', string.format('%.0f', now), unpack(ARGV, origin_from))
if expires ~= '' then
  -- What has expired can still be tried again by hand.
  redis.call('HSET', record, 'body', body)
end
-- What called off an earlier job of this id must not call off this one.
redis.call('ZREM', aborted, id)
redis.call('ZADD', queue, due, id)
redis.call('PUBLISH', wake, '')
return {1, fingerprint}
"""

# Takes the jobs of a queue that are due and that nobody runs, for one worker, up to `room` of them.
#
# It looks at `window` jobs at a time, from the head of the queue, where those that run now stay until
# they have ended. A job marked as this worker's that it does not hold was taken by a call whose answer
# was lost; it is taken again. From a paused queue nothing is taken, nor by a worker whose lease has lapsed,
# as it may be declared lost at any moment. A job of an unknown task is taken after a time, to be told so.
# Of the jobs that two lost workers ran, a worker runs one at a time.
#
# Returns the jobs (id, due time, body, tries, record), the milliseconds until the next job is due or -1,
# which of the jobs held or taken are to end, and the time.
CLAIM: Final = """
local queue, paused_queues, workers, running, aborted = unpack(KEYS)
local worker, queue_name, room, window = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, kept, patience = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local in_progress_prefix, job_prefix, record_prefix = ARGV[8], ARGV[9], ARGV[10]
local retry_prefix = ARGV[11]
local held, known, called_off = {}, {}, {}
local function note_if_called_off(id)
  if redis.call('ZSCORE', aborted, id) then
    called_off[#called_off + 1] = id
  end
end
local last_held = 12 + tonumber(ARGV[12])
for i = 13, last_held do
  held[ARGV[i]] = true
  note_if_called_off(ARGV[i])
end
for i = last_held + 1, #ARGV do
  known[ARGV[i]] = true
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local beat = redis.call('ZSCORE', workers, worker)
if room == 0 or not beat or now - beat > lease or redis.call('HEXISTS', paused_queues, queue) == 1 then
  return {{}, -1, called_off, now_text}
end

local function is_for_others(record)
  local task = redis.call('HGET', record, 'task')
  if not task or known[task] then
    return false
  end
  redis.call('HSETNX', record, 'unknown_since', now_text)
  return now - tonumber(redis.call('HGET', record, 'unknown_since')) <= patience
end

-- One more loss ends them. What brings its workers down must not take another one along to the end.
local function is_suspect(record)
  return tonumber(redis.call('HGET', record, 'losses') or 0) >= 2
end
local function runs_beside_a_suspect(id)
  for _, other in ipairs(redis.call('HKEYS', running)) do
    if other ~= id and is_suspect(record_prefix .. other) then
      return true
    end
  end
  return false
end

local taken = {}
local offset = 0
while #taken < room do
  local due = redis.call('ZRANGEBYSCORE', queue, '-inf', now_text, 'WITHSCORES', 'LIMIT', offset, window)
  for i = 1, #due, 2 do
    local id = due[i]
    local record = record_prefix .. id
    local owner = redis.call('GET', in_progress_prefix .. id)
    if #taken < room and not held[id] and (not owner or owner == worker) and not is_for_others(record)
        and not (is_suspect(record) and runs_beside_a_suspect(id)) then
      local tries = redis.call('GET', retry_prefix .. id)
      if not owner then
        tries = redis.call('INCR', retry_prefix .. id)
      end
      redis.call('PEXPIRE', retry_prefix .. id, kept)
      redis.call('SET', in_progress_prefix .. id, worker, 'PX', kept)
      redis.call('HSET', running, id, queue_name .. ':' .. now_text)
      local body = redis.call('GET', job_prefix .. id)
      -- Without a body it has expired, and is taken only to be told so.
      if body then
        -- Once started in time, it may be handed back and started again however late it is.
        redis.call('PERSIST', job_prefix .. id)
        redis.call('HSET', record, 'worker', worker)
        redis.call('HDEL', record, 'unknown_since')
        -- With parts it has been running since they began.
        if redis.call('HEXISTS', record, 'parts') == 0 then
          redis.call('HSET', record, 'started', now_text)
          redis.call('HDEL', record, 'progress')
        end
      end
      note_if_called_off(id)
      taken[#taken + 1] = {id, due[i + 1], body, tonumber(tries) or 1, redis.call('HGETALL', record)}
    end
  end
  if #due < 2 * window then
    break
  end
  offset = offset + window
end

local coming = redis.call('ZRANGEBYSCORE', queue, '(' .. now_text, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local pause = -1
if coming[2] then
  pause = math.ceil(tonumber(coming[2]) - now)
end
return {taken, pause, called_off, now_text}
"""

# Lets go of a job that a worker has taken: it has ended, is to be tried again, waits for its parts, or is
# given back.
#
# A worker that counts as lost can do nothing of it; whoever found it lost does it in its stead, and then
# the job's losses are counted. A call whose answer was lost may be repeated. What is told of the run is
# noted in the same step, until the history knows of it.
#
# Returns 1, or 0 where the job is not the worker's any more.
RELEASE: Final = (
    PART_FUNCTIONS
    + """
local in_progress, running, job, result, retry, record, queue, aborted, lost_workers, untold = unpack(KEYS)
local worker, id, started, how, lost, outcome, kept, pause, wake, finished, run_id, note = unpack(ARGV)

if lost == '' and redis.call('ZSCORE', lost_workers, worker) then
  return 0
end
redis.call('HDEL', running, id)
local run = worker .. ':' .. started
if redis.call('GET', in_progress) ~= worker then
  return redis.call('HGET', record, 'ended') == run and 1 or 0
end
redis.call('DEL', in_progress)
redis.call('HSET', record, 'ended', run)
if note ~= '' then
  redis.call('HSET', untold, run_id, note)
end
if lost ~= '' then
  redis.call('HINCRBY', record, 'losses', 1)
end
if how == 'end' then
  if outcome ~= '' then
    redis.call('SET', result, outcome, 'PX', kept)
  end
  redis.call('DEL', job, retry)
  redis.call('ZREM', aborted, id)
  redis.call('ZREM', queue, id)
  redis.call('PEXPIRE', record, kept)
  redis.call('PUBLISH', finished, '')
  note_part(id, outcome)
  call_off_parts(id, aborted)
  redis.call('DEL', parts_prefix .. id)
  return 1
end
if how == 'again' then
  redis.call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
else
  -- It was the worker that ended, or its parts have yet to, so the try does not count.
  if redis.call('DECR', retry) <= 0 then
    redis.call('DEL', retry)
  end
  redis.call('HDEL', record, 'worker')
  if redis.call('EXISTS', parts_prefix .. id) == 0 then
    redis.call('HDEL', record, 'started', 'progress')
  end
  if how == 'wait' and #open_parts(id) > 0 then
    redis.call('ZADD', queue, 'XX', now_ms() + tonumber(pause), id)
  end
end
redis.call('PUBLISH', wake, '')
return 1
"""
)

# Notes how far a job has come, if it is still this worker's.
REPORT_PROGRESS: Final = """
local in_progress, record = unpack(KEYS)
local worker, channel, progress = unpack(ARGV)

if redis.call('GET', in_progress) ~= worker then
  return 0
end
redis.call('HSET', record, 'progress', progress)
redis.call('PUBLISH', channel, '')
return 1
"""
