"""The Lua scripts that change a queue: each in one round trip, and whole or not at all."""

from typing import Final

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
# was lost; it is taken again. From a paused queue nothing is taken.
#
# Returns pairs of id and due time (ms), and the milliseconds until the next job is due, or -1.
CLAIM: Final = """
local queue, paused_queues = KEYS[1], KEYS[2]
if redis.call('HEXISTS', paused_queues, queue) == 1 then
  return {{}, -1}
end
local worker, room, window, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local in_progress_prefix, job_prefix, record_prefix = ARGV[5], ARGV[6], ARGV[7]
local held = {}
for i = 8, #ARGV do
  held[ARGV[i]] = true
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local taken = {}
local offset = 0
while #taken < 2 * room do
  local due = redis.call('ZRANGEBYSCORE', queue, '-inf', now_text, 'WITHSCORES', 'LIMIT', offset, window)
  for i = 1, #due, 2 do
    local id = due[i]
    local owner = redis.call('GET', in_progress_prefix .. id)
    if #taken < 2 * room and not held[id] and (not owner or owner == worker) then
      redis.call('SET', in_progress_prefix .. id, worker, 'PX', lease)
      -- Without a definition it has expired, and is taken only to be told so.
      if redis.call('EXISTS', job_prefix .. id) == 1 then
        -- Once started in time, it may be handed back and started again however late it is.
        redis.call('PERSIST', job_prefix .. id)
        redis.call('HSET', record_prefix .. id, 'started', now_text, 'worker', worker)
        redis.call('HDEL', record_prefix .. id, 'progress')
      end
      taken[#taken + 1] = id
      taken[#taken + 1] = due[i + 1]
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
return {taken, pause}
"""

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
