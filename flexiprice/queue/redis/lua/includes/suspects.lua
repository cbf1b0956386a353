-- Suspects: jobs that may have killed a worker run alone.
--
-- A job that ran on a lost worker is a suspect: a worker runs it only while it runs nothing else, in any
-- queue. Only the death of a worker that ran nothing else counts against a job. After its first loss beside
-- others, a job is a suspect only briefly: an ordinary crash must not make ten long jobs run one by one.
-- After another loss, or one alone, it stays a suspect.

--- @include "clock"
--- @include "guarded_calls"
--- @constant "worker_prefix"
-- How long (ms) a job is a suspect after its first loss, if that was beside other jobs.
local alone_at_first = 3000
-- TTL (ms) of a worker's drain for a suspect; each poll renews it.
local reserved_ms = 3000
-- Polling interval (ms) of a worker's other queues while it runs a suspect.
local alone_look_every = 100
-- Length (ms) of the first drain for a suspect; it doubles with each drain that was too short. After a drain
-- the worker claims as usual for the same time, so that long jobs cannot stop a queue.
local first_drain_ms = 5000
local longest_drain_ms = 3600 * 1000

local function is_suspect(record)
  local until_ = call('HGET', record, 'suspect')
  return until_ and (until_ == 'always' or now_ms() < number(until_, 0))
end

-- Whether this worker may start to drain for a suspect; only one worker drains for each.
local function may_drain_for(record, worker, now)
  local by, until_, again = unpack(call('HMGET', record, 'drain_by', 'drain_until', 'drain_again'))
  if by and by ~= worker and now < number(until_, 0)
      and redis.call('EXISTS', worker_prefix .. by .. ':lone') == 1 then
    return false
  end
  return now >= number(again, 0)
end

local function begin_drain(record, worker, now)
  local tries = math.max(1, math.min(call('HINCRBY', record, 'drains', 1), 20))
  local length = math.min(first_drain_ms * 2 ^ (tries - 1), longest_drain_ms)
  call('HSET', record, 'drain_by', worker, 'drain_until', string.format('%.0f', now + length),
    'drain_again', string.format('%.0f', now + 2 * length))
end

local function end_drain(record, lone)
  redis.call('DEL', lone)
  call('HDEL', record, 'drain_by', 'drain_until', 'drain_again', 'drains')
end

-- Records the loss of a job's worker and its kind: 'alone', 'beside' others or 'exonerated'.
local function record_loss(record, worker, how)
  if redis.call('EXISTS', worker_prefix .. worker .. ':exonerated') == 1 then
    how = 'exonerated'
  end
  call('HINCRBY', record, 'losses', 1)
  if how == 'exonerated' then
    return
  end
  local again = how == 'alone' or call('HEXISTS', record, 'suspect') == 1
  call('HSET', record, 'loss:' .. worker, how,
    'suspect', again and 'always' or string.format('%.0f', now_ms() + alone_at_first))
  if how == 'alone' then
    call('HINCRBY', record, 'lone_losses', 1)
  end
end
