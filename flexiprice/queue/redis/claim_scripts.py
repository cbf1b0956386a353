"""The Lua script by which a worker takes jobs: in one round trip, and whole or not at all."""

from typing import Final

from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS
from flexiprice.queue.redis.loss_scripts import LOSS_FUNCTIONS

LOOKED_AT: Final = 1_000
"""Jobs of a queue that one call looks at, at most; the next goes on where it ended."""
TAKEN_AT_ONCE: Final = 100
"""Jobs that one call takes, at most."""

# Takes the jobs of a queue that are due and that nobody runs, for one worker, up to `room` of them.
#
# It looks at `window` jobs at a time, from `offset` on; at the head of the queue those that run now stay
# until they have ended. A job marked as this worker's that it does not hold was taken by a call whose answer
# was lost; it is taken again. One marked by a worker of whom nobody knows is given to the reaper. From a
# paused queue nothing is taken, nor by a worker whose lease has lapsed, as it may be declared lost at any
# moment. A job of an unknown task is taken after a time, to be told so.
#
# A suspect is taken by a worker that runs nothing, and then nothing beside it. Where all workers are at work,
# one of them takes no more jobs until it has none; the others pass over the suspect.
#
# Returns the jobs (id, due time, body, tries, record), the milliseconds until the next job is due or -1,
# which of the jobs held or taken are to end, the time, and the offset to go on from.
CLAIM: Final = (
    GUARDED_CALLS
    + LOSS_FUNCTIONS
    + f"local looked_at, taken_at_once = {LOOKED_AT}, {TAKEN_AT_ONCE}\n"
    + f"local awaiting_parts = '{keys.AWAITING_PARTS}'\n"
    + """
local queue, paused_queues, workers, running, aborted, lost_workers, lone = unpack(KEYS)
local worker, queue_name, room, window = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, kept, patience = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local in_progress_prefix, job_prefix, record_prefix = ARGV[8], ARGV[9], ARGV[10]
local retry_prefix, offset = ARGV[11], tonumber(ARGV[12])
local held, known, called_off = {}, {}, {}
local function note_if_called_off(id)
  if call('ZSCORE', aborted, id) then
    called_off[#called_off + 1] = id
  end
end
local last_held = 13 + tonumber(ARGV[13])
for i = 14, last_held do
  held[ARGV[i]] = true
  note_if_called_off(ARGV[i])
end
for i = last_held + 1, #ARGV do
  known[ARGV[i]] = true
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local beat = call('ZSCORE', workers, worker)
if room == 0 or not beat or now - beat > lease or call('HEXISTS', paused_queues, queue) == 1 then
  return {{}, -1, called_off, now_text, 0}
end

local function is_for_others(record)
  local task = call('HGET', record, 'task')
  if not task or known[task] then
    return false
  end
  local since = number(call('HGET', record, 'unknown_since'))
  if not since then
    call('HSET', record, 'unknown_since', now_text)
    since = now
  end
  return now - since <= patience
end

-- Whose mark a job has, if not this worker's. arq's own workers mark with '1'.
local function owner_of(id)
  local owner = call('GET', in_progress_prefix .. id)
  if owner and owner ~= worker and owner ~= '1'
      and not call('ZSCORE', workers, owner) and not call('ZSCORE', lost_workers, owner) then
    if string.find(owner, '^[%w%p]+$') and #owner <= 100 then
      -- Nobody knows how it came to that, so no job is to blame.
      redis.call('SET', worker_prefix .. owner .. ':exonerated', '1', 'PX', kept)
      call('HSETNX', worker_prefix .. owner .. ':running', id, queue_name .. ':' .. now_text)
      call('ZADD', lost_workers, now_text, owner)
    else
      set_aside(in_progress_prefix .. id, 'no worker is called so')
      return false
    end
  end
  return owner
end

-- The instant at which a job is due, which a score that is none must not decide.
local function due_of(id, score)
  if number(score) then
    return score
  end
  note_bad_entry(queue .. ' ' .. id, 'its due time was ' .. score .. '; it is due since it was found')
  call('ZADD', queue, 'XX', now_text, id)
  return now_text
end

local taken = {}
local function take(id, score, owner)
  local record = record_prefix .. id
  local tries = call('GET', retry_prefix .. id)
  if not owner then
    tries = call('INCR', retry_prefix .. id)
  end
  redis.call('PEXPIRE', retry_prefix .. id, kept)
  redis.call('SET', in_progress_prefix .. id, worker, 'PX', kept)
  call('HSET', running, id, queue_name .. ':' .. now_text)
  local body = call('GET', job_prefix .. id)
  -- Without a body it has expired, and is taken only to be told so.
  if body then
    -- Once started in time, it may be handed back and started again however late it is.
    redis.call('PERSIST', job_prefix .. id)
    call('HSET', record, 'worker', worker)
    call('HDEL', record, 'unknown_since')
    -- With parts it has been running since they began.
    if call('HEXISTS', record, 'parts') == 0 then
      call('HSET', record, 'started', now_text)
      call('HDEL', record, 'progress')
    else
      call('ZREM', awaiting_parts, id)
    end
  end
  note_if_called_off(id)
  taken[#taken + 1] = {id, due_of(id, score), body, number(tries, 1), call('HGETALL', record)}
end

-- Jobs of all queues that this worker runs; one that is a suspect runs alone.
local at_work = call('HLEN', running)
local alone = at_work == 1 and is_suspect(record_prefix .. call('HKEYS', running)[1])

-- For what this worker lets its jobs end, and whether that is over.
local drains_for = call('GET', lone)
if drains_for then
  local id = string.sub(drains_for, #queue_name + 2)
  if string.sub(drains_for, 1, #queue_name + 1) == queue_name .. ':' then
    local record, score = record_prefix .. id, call('ZSCORE', queue, id)
    local waits = score and tonumber(score) <= now and is_suspect(record)
      and redis.call('EXISTS', in_progress_prefix .. id) == 0
    if not waits or now >= number(call('HGET', record, 'drain_until'), 0) then
      redis.call('DEL', lone)
      drains_for = false
    elseif at_work == 0 then
      end_drain(record, lone)
      take(id, score, false)
      return {taken, -1, called_off, now_text, 0}
    else
      redis.call('PEXPIRE', lone, reserved_ms)
    end
  end
end

local looked, left_over = 0, false
while #taken < math.min(room, taken_at_once) do
  if looked >= looked_at then
    left_over = true
    break
  end
  local due = call('ZRANGEBYSCORE', queue, '-inf', now_text, 'WITHSCORES', 'LIMIT', offset, window)
  for i = 1, #due, 2 do
    local id = due[i]
    looked, offset = looked + 1, offset + 1
    if not is_utf8(id) or #id > 1000 then
      call('ZREM', queue, id)
      note_bad_entry(queue .. ' ' .. id, 'no job can have such an id')
      offset = offset - 1
    elseif #taken < math.min(room, taken_at_once) and not held[id] then
      local owner, record = owner_of(id), record_prefix .. id
      if owner == worker then
        take(id, due[i + 1], owner)
      elseif not owner and not alone and not drains_for and not is_for_others(record) then
        if not is_suspect(record) then
          take(id, due[i + 1], false)
        elseif at_work == 0 and #taken == 0 then
          end_drain(record, lone)
          take(id, due[i + 1], false)
          alone = true
        elseif may_drain_for(record, worker, now) then
          begin_drain(record, worker, now)
          drains_for = queue_name .. ':' .. id
          redis.call('SET', lone, drains_for, 'PX', reserved_ms)
        end
      end
    end
  end
  if #due < 2 * window then
    break
  end
end

local pause = -1
if left_over then
  pause = 0
elseif #taken >= taken_at_once then
  pause, offset = 0, 0
else
  offset = 0
  local coming = call('ZRANGEBYSCORE', queue, '(' .. now_text, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if coming[2] then
    pause = math.ceil(number(due_of(coming[1], coming[2]), now) - now)
  end
  if alone or drains_for then
    pause = pause < 0 and alone_look_every or math.min(pause, alone_look_every)
  end
end
return {taken, pause, called_off, now_text, offset}
"""
)
