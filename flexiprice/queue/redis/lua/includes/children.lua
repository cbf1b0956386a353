-- Child jobs.
--
-- The parent waits in its queue, not due, without occupying a worker. The script that finishes a child stores
-- its result in a hash once. The last child makes the parent due.

--- @include "clock"
--- @include "guarded_calls"
--- @constant "job_prefix"
--- @constant "record_prefix"
--- @constant "children_prefix"
--- @constant "queue_prefix"
--- @constant "wake_prefix"
--- @constant "finished_prefix"

-- Returns the unfinished children of a job, and the number of all.
local function open_children(id)
  local open = {}
  local children = call('HGETALL', children_prefix .. id)
  for i = 1, #children, 2 do
    if children[i + 1] == '' then
      open[#open + 1] = children[i]
    end
  end
  return open, #children / 2
end

-- Stores the result of a child with its parent. The parent resumes when all children have finished.
local function record_child(id, outcome)
  local parent = call('HGET', record_prefix .. id, 'parent')
  if not parent or call('HGET', children_prefix .. parent, id) ~= '' then
    return
  end
  call('HSET', children_prefix .. parent, id, outcome ~= '' and outcome or '?')
  local open, total = open_children(parent)
  local progress = string.format('[%d,%d,"%d of %d child jobs have ended",%.0f]',
    total - #open, total, total - #open, total, now_ms())
  call('HSET', record_prefix .. parent, 'progress', progress)
  redis.call('PUBLISH', finished_prefix .. parent, '')
  local queue = call('HGET', record_prefix .. parent, 'queue')
  if #open == 0 and queue then
    call('ZADD', queue_prefix .. queue, 'XX', string.format('%.0f', now_ms()), parent)
    redis.call('PUBLISH', wake_prefix .. queue, '')
  end
end

-- Marks the unfinished children of a job for cancellation by the workers that claim or run them.
local function revoke_children(id, aborted)
  for _, child in ipairs(open_children(id)) do
    if redis.call('EXISTS', job_prefix .. child) == 1 then
      call('ZADD', aborted, string.format('%.0f', now_ms()), child)
      redis.call('PUBLISH', wake_prefix .. (call('HGET', record_prefix .. child, 'queue') or ''), '')
    end
  end
end
