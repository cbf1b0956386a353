-- Counts the jobs of a queue at one moment, in bounded time for any length.
--
-- KEYS[1] queue: sorted set of the queue
-- KEYS[2] paused_queues: hash of the paused queues
-- KEYS[3] workers: sorted set of the live workers
-- KEYS[4] lost_workers: sorted set of the lost workers
-- ARGV[1] queue_name: name of the queue
-- Returns the time (ms), the numbers of waiting and deferred jobs, the due time (ms) of the oldest waiting
-- job or -1, start (ms) and actor of the pause or '', and the ids of running jobs, including those that wait
-- for their children.
--
-- arq leaves running jobs in the queue's set, so the script reads the running jobs from the workers' lists
-- and subtracts them.

--- @include "clock"
--- @include "guarded_calls"
--- @constant "worker_prefix"
--- @constant "awaiting_children"

-- Maximum number of workers of each list, and of jobs that wait for their children, that it reads.
local max_members = 1000
-- Number of jobs that one step reads in search of the oldest waiting one.
local chunk = 100
local queue, paused_queues, workers, lost_workers = unpack(KEYS)
local queue_name = ARGV[1]

local now = now_ms()
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
  for _, worker in ipairs(call('ZRANGE', list, 0, max_members - 1)) do
    local jobs = call('HGETALL', worker_prefix .. worker .. ':running')
    for i = 1, #jobs, 2 do
      if string.sub(jobs[i + 1], 1, #queue_name + 1) == queue_name .. ':' then
        add_running(jobs[i], false)
      end
    end
  end
end
for _, id in ipairs(call('ZRANGE', awaiting_children, 0, max_members - 1)) do
  add_running(id, true)
end

local oldest, offset = '-1', 0
while waiting > 0 and oldest == '-1' and offset <= #running do
  local due = call('ZRANGEBYSCORE', queue, '-inf', now_text, 'WITHSCORES', 'LIMIT', offset, chunk)
  for i = 1, #due, 2 do
    if oldest == '-1' and not runs[due[i]] then
      oldest = number(due[i + 1]) and due[i + 1] or now_text
    end
  end
  offset = offset + chunk
end
return {now_text, waiting, deferred, oldest, call('HGET', paused_queues, queue) or '', running}
