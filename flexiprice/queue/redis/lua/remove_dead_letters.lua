-- Removes dead letters by job id.
--
-- ARGV[1..] ids of the jobs
-- Returns the number of removed dead letters.

--- @include "dead_letters"

local removed = 0
for _, id in ipairs(ARGV) do
  removed = removed + remove_dead_letter(id)
end
return removed
