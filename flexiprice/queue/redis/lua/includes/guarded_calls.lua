-- `call` is `redis.call` for our keys: it quarantines a key of a wrong type and repeats the command. All
-- other errors are raised unchanged.

--- @include "clock"
--- @constant "bad_entries"
--- @constant "bad_entry_prefix"
-- Maximum number of quarantined entries; further ones are deleted.
local max_bad_entries = 1000
-- TTL of a quarantined key: 30 days.
local bad_entry_seconds = 30 * 24 * 3600

-- Adds an entry to the list; returns false if the list is full.
local function note_bad_entry(name, reason)
  local kind = redis.call('TYPE', bad_entries).ok
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', bad_entries)
  end
  if redis.call('HLEN', bad_entries) >= max_bad_entries and redis.call('HEXISTS', bad_entries, name) == 0 then
    return false
  end
  redis.call('HSET', bad_entries, name, string.format('%.0f %s', now_ms(), reason))
  return true
end

local function set_aside(key, reason)
  if note_bad_entry(key, reason) then
    redis.call('RENAME', key, bad_entry_prefix .. key)
    redis.call('EXPIRE', bad_entry_prefix .. key, bad_entry_seconds)
  else
    redis.call('UNLINK', key)
  end
end

local function type_for(command)
  local first = string.sub(string.upper(command), 1, 1)
  return first == 'H' and 'hash' or first == 'Z' and 'zset' or 'string'
end

local function call(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then
    return reply
  end
  local command, key, field = ...
  if string.find(reply.err, 'WRONGTYPE', 1, true) then
    set_aside(key, 'it is a ' .. redis.call('TYPE', key).ok .. ' and must be a ' .. type_for(command))
  elseif string.find(reply.err, 'not an integer', 1, true) or string.find(reply.err, 'overflow', 1, true) then
    if command == 'HINCRBY' then
      redis.call('HDEL', key, field)
    else
      set_aside(key, 'it is not a whole number')
    end
  end
  return redis.call(...)
end

-- Parses a number from Redis; returns the default if it is invalid.
local function number(value, default)
  local read = tonumber(value)
  -- NaN is unequal to itself.
  if not read or read ~= read or read < 0 or read > 1e15 then
    return default
  end
  return read
end
