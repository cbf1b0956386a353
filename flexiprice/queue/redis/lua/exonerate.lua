-- Exonerates the jobs of a lost worker, whether they are requeued already or not.
--
-- KEYS[1] exonerated: mark of the worker's exoneration
-- KEYS[2] recent_deaths: sorted set of recently dead workers
-- ARGV[1] worker: id of the worker
-- ARGV[2] record_prefix: prefix of the records of jobs
-- ARGV[3] kept: how long (ms) the mark is stored
-- ARGV[4..] ids of the jobs
-- Returns 1.

--- @include "guarded_calls"

local exonerated, recent_deaths = unpack(KEYS)
local worker, record_prefix, kept = unpack(ARGV, 1, 3)

redis.call('SET', exonerated, '1', 'PX', kept)
call('ZREM', recent_deaths, worker)
for i = 4, #ARGV do
  local record = record_prefix .. ARGV[i]
  local how = call('HGET', record, 'loss:' .. worker)
  if how then
    call('HDEL', record, 'loss:' .. worker)
    if how == 'alone' then
      call('HINCRBY', record, 'lone_losses', -1)
    end
    local others = false
    for _, field in ipairs(call('HKEYS', record)) do
      others = others or string.sub(field, 1, 5) == 'loss:'
    end
    if not others then
      call('HDEL', record, 'suspect')
    end
  end
end
return 1
