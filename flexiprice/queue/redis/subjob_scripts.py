"""Lua for child jobs, called parts in Redis, and the script that registers them.

The parent waits in its queue, not due, without occupying a worker. The script that finishes a child stores
its result in a hash once. The last child makes the parent due.
"""

from typing import Final

from flexiprice.queue.arq import default_queue_name, job_key_prefix
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.bad_entries import GUARDED_CALLS

_NAMES: Final = {
    "job_prefix": job_key_prefix,
    "record_prefix": keys.record_key(""),
    "parts_prefix": keys.parts_key(""),
    "default_queue": keys.DEFAULT_QUEUE,
    "queue_prefix": f"{default_queue_name}:",
    "wake_prefix": keys.WAKE_PREFIX,
    "finished_prefix": keys.finished_channel(""),
}

# Include for scripts that finish or suspend jobs; needs `GUARDED_CALLS`.
PART_FUNCTIONS: Final = (
    "".join(f"local {name} = '{value}'\n" for name, value in _NAMES.items())
    + """
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns the unfinished children of a job, and the number of all.
local function open_parts(id)
  local open = {}
  local parts = call('HGETALL', parts_prefix .. id)
  for i = 1, #parts, 2 do
    if parts[i + 1] == '' then
      open[#open + 1] = parts[i]
    end
  end
  return open, #parts / 2
end

-- Stores the result of a child with its parent. The parent resumes when all children have finished.
local function record_part(id, outcome)
  local parent = call('HGET', record_prefix .. id, 'parent')
  if not parent or call('HGET', parts_prefix .. parent, id) ~= '' then
    return
  end
  call('HSET', parts_prefix .. parent, id, outcome ~= '' and outcome or '?')
  local open, total = open_parts(parent)
  local progress = string.format('[%d,%d,"%d of %d parts have ended",%.0f]',
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
local function revoke_parts(id, aborted)
  for _, part in ipairs(open_parts(id)) do
    if redis.call('EXISTS', job_prefix .. part) == 1 then
      call('ZADD', aborted, string.format('%.0f', now_ms()), part)
      redis.call('PUBLISH', wake_prefix .. (call('HGET', record_prefix .. part, 'queue') or ''), '')
    end
  end
end
"""
)

# Registers the children of a claimed job, unless it has some: later attempts find those of the first.
#
# Returns ids and results of the children, an empty result for an unfinished one; or nothing if the worker
# does not hold the claim.
BEGIN_PARTS: Final = (
    GUARDED_CALLS
    + """
local in_progress, record, parts = unpack(KEYS)
local worker = ARGV[1]

if call('GET', in_progress) ~= worker then
  return {}
end
if redis.call('EXISTS', parts) == 0 then
  for i = 2, #ARGV do
    call('HSET', parts, ARGV[i], '')
  end
  call('HSET', record, 'parts', #ARGV - 1)
end
return call('HGETALL', parts)
"""
)
