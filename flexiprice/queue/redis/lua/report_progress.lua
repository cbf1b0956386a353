-- Stores the progress of a job if the worker still holds the claim.
--
-- KEYS[1] in_progress: claim on the job
-- KEYS[2] record: record of the job
-- ARGV[1] worker: id of the worker
-- ARGV[2] channel: channel for changes of the job
-- ARGV[3] progress: the encoded progress
-- Returns 1, or 0 without a claim.

--- @include "guarded_calls"

local in_progress, record = unpack(KEYS)
local worker, channel, progress = unpack(ARGV)

if call('GET', in_progress) ~= worker then
  return 0
end
call('HSET', record, 'progress', progress)
redis.call('PUBLISH', channel, '')
return 1
