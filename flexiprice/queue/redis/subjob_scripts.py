"""The Lua that keeps a job and its parts together, and the script that gives a job parts.

A job may have parts: jobs that do its work while it waits, in its queue but not due, on no worker. How each
part ended is kept in a hash, in the step that ends it and once only; the last to end makes the job due.
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

# Goes before a script that ends jobs or lets them wait, after `GUARDED_CALLS`.
PART_FUNCTIONS: Final = (
    "".join(f"local {name} = '{value}'\n" for name, value in _NAMES.items())
    + """
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The parts of a job that have not ended, and how many it has.
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

-- Notes how a job ended that is a part of another, which goes on when all of its parts have ended.
local function note_part(id, outcome)
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

-- Calls off the parts of a job that have not ended: who takes or runs one of them ends it.
local function call_off_parts(id, aborted)
  for _, part in ipairs(open_parts(id)) do
    if redis.call('EXISTS', job_prefix .. part) == 1 then
      call('ZADD', aborted, string.format('%.0f', now_ms()), part)
      redis.call('PUBLISH', wake_prefix .. (call('HGET', record_prefix .. part, 'queue') or ''), '')
    end
  end
end
"""
)

# Gives a job that a worker runs its parts, unless it has them: a later try finds those of the first.
#
# Returns the parts and how each ended, empty where it has not; or nothing where the job is not the worker's.
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
