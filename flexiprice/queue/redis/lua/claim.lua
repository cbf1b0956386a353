-- Claims up to `room` due jobs of a queue for one worker.
--
-- KEYS[1] queue: sorted set of the queue
-- KEYS[2] paused_queues: hash of the paused queues
-- KEYS[3] workers: sorted set of the live workers
-- KEYS[4] running: hash of the worker's running jobs
-- KEYS[5] aborted: sorted set of the jobs to abort
-- KEYS[6] lost_workers: sorted set of the lost workers
-- KEYS[7] lone: suspect for which the worker drains
-- ARGV[1] worker: id of the worker
-- ARGV[2] queue_name: name of the queue
-- ARGV[3] room: maximum number of jobs to claim
-- ARGV[4] window: number of jobs that one step reads
-- ARGV[5] lease: length (ms) of a worker's lease
-- ARGV[6] claim_ttl: TTL (ms) of a claim
-- ARGV[7] unknown_task_timeout: how long (ms) a job of an unknown task is left for other workers
-- ARGV[8] in_progress_prefix: prefix of claims
-- ARGV[9] job_prefix: prefix of the messages of jobs
-- ARGV[10] record_prefix: prefix of the records of jobs
-- ARGV[11] retry_prefix: prefix of the numbers of starts
-- ARGV[12] offset: number of jobs at the head of the queue to skip
-- ARGV[13] held_count: number of jobs that the worker holds
-- ARGV[14..] ids of the held jobs, then names of the tasks that the worker knows
-- Returns the jobs (id, due time, body, tries, record), the milliseconds until the next job is due or -1, the
-- revoked ids among held and claimed jobs, the time, and the offset for the next call.
--
-- It reads `window` jobs at a time from `offset`; running jobs stay at the head of the queue until they have
-- finished. A job claimed by this worker that it does not hold comes from a call whose reply was lost; it is
-- claimed again. A job claimed by an unknown worker is left to the reaper. Nothing is claimed from a paused
-- queue, nor for a worker with an expired lease, because it may be declared lost at any moment. A job of an
-- unknown task is claimed after a time, so that it fails.
--
-- A suspect is claimed by an idle worker, which then claims nothing else. If all workers are busy, one of
-- them drains for it; the others skip the suspect.

--- @include "clock"
--- @include "guarded_calls"
--- @include "utf8"
--- @include "suspects"
--- @constant "max_reads"
--- @constant "awaiting_children"
-- Maximum number of jobs that one call claims.
local max_claims = 100

local queue, paused_queues, workers, running, aborted, lost_workers, lone = unpack(KEYS)
local worker, queue_name, room, window, lease, claim_ttl, unknown_task_timeout, in_progress_prefix,
  job_prefix, record_prefix, retry_prefix, offset, held_count = unpack(ARGV, 1, 13)
room, window, lease, offset = tonumber(room), tonumber(window), tonumber(lease), tonumber(offset)
unknown_task_timeout = tonumber(unknown_task_timeout)

local held, known, revoked = {}, {}, {}
local function add_if_revoked(id)
  if call('ZSCORE', aborted, id) then
    revoked[#revoked + 1] = id
  end
end
local last_held = 13 + tonumber(held_count)
for i = 14, #ARGV do
  if i <= last_held then
    held[ARGV[i]] = true
    add_if_revoked(ARGV[i])
  else
    known[ARGV[i]] = true
  end
end

local now = now_ms()
local now_text = string.format('%.0f', now)
local beat = call('ZSCORE', workers, worker)
if room == 0 or not beat or now - beat > lease or call('HEXISTS', paused_queues, queue) == 1 then
  return {{}, -1, revoked, now_text, 0}
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
  return now - since <= unknown_task_timeout
end

-- Returns the worker that has claimed a job. arq's own workers use '1'.
local function owner_of(id)
  local owner = call('GET', in_progress_prefix .. id)
  if owner and owner ~= worker and owner ~= '1'
      and not call('ZSCORE', workers, owner) and not call('ZSCORE', lost_workers, owner) then
    if string.find(owner, '^[%w%p]+$') and #owner <= 100 then
      -- The cause is unknown, so no job is to blame.
      redis.call('SET', worker_prefix .. owner .. ':exonerated', '1', 'PX', claim_ttl)
      call('HSETNX', worker_prefix .. owner .. ':running', id, queue_name .. ':' .. now_text)
      call('ZADD', lost_workers, now_text, owner)
    else
      set_aside(in_progress_prefix .. id, 'no worker is called so')
      return false
    end
  end
  return owner
end

-- Returns the due time of a job; replaces an invalid score by now.
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
  redis.call('PEXPIRE', retry_prefix .. id, claim_ttl)
  redis.call('SET', in_progress_prefix .. id, worker, 'PX', claim_ttl)
  call('HSET', running, id, queue_name .. ':' .. now_text)
  local body = call('GET', job_prefix .. id)
  -- Without a body the job has expired, and is claimed only to fail.
  if body then
    -- A job that started in time may be requeued and started again at any time.
    redis.call('PERSIST', job_prefix .. id)
    call('HSET', record, 'worker', worker)
    call('HDEL', record, 'unknown_since')
    -- A job with children has been running since they were registered.
    if call('HEXISTS', record, 'children') == 0 then
      call('HSET', record, 'started', now_text)
      call('HDEL', record, 'progress')
    else
      call('ZREM', awaiting_children, id)
    end
  end
  add_if_revoked(id)
  taken[#taken + 1] = {id, due_of(id, score), body, number(tries, 1), call('HGETALL', record)}
end

-- Number of running jobs of this worker in all queues; a suspect runs alone.
local running_count = call('HLEN', running)
local alone = running_count == 1 and is_suspect(record_prefix .. call('HKEYS', running)[1])

-- The suspect for which this worker drains, and whether the drain has ended.
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
    elseif running_count == 0 then
      end_drain(record, lone)
      take(id, score, false)
      return {taken, -1, revoked, now_text, 0}
    else
      redis.call('PEXPIRE', lone, reserved_ms)
    end
  end
end

local looked, left_over = 0, false
while #taken < math.min(room, max_claims) do
  if looked >= max_reads then
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
    elseif #taken < math.min(room, max_claims) and not held[id] then
      local owner, record = owner_of(id), record_prefix .. id
      if owner == worker then
        take(id, due[i + 1], owner)
      elseif not owner and not alone and not drains_for and not is_for_others(record) then
        if not is_suspect(record) then
          take(id, due[i + 1], false)
        elseif running_count == 0 and #taken == 0 then
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
elseif #taken >= max_claims then
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
return {taken, pause, revoked, now_text, offset}
