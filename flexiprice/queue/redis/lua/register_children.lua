-- Registers the children of a claimed job, unless it has some: later attempts find those of the first.
--
-- KEYS[1] in_progress: claim on the job
-- KEYS[2] record: record of the job
-- KEYS[3] children: hash of the results of its children
-- ARGV[1] worker: id of the worker
-- ARGV[2..] ids of the children
-- Returns ids and results of the children, an empty result for an unfinished one; nothing without a claim.

--- @include "guarded_calls"

local in_progress, record, children = unpack(KEYS)
local worker = ARGV[1]

if call('GET', in_progress) ~= worker then
  return {}
end
if redis.call('EXISTS', children) == 0 then
  for i = 2, #ARGV do
    call('HSET', children, ARGV[i], '')
  end
  call('HSET', record, 'children', #ARGV - 1)
end
return call('HGETALL', children)
