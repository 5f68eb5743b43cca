-- Counts a request and stores its job in one command, unless there is anything under the job's id.
--
-- KEYS  1 to 7 those of worker/jobs/transition.lua   8 there are archived records   9 the job's inbox
--       10 that of rate_limit.lua
-- ARGV  1 that of worker/jobs/transition.lua, or empty to store nothing, when KEYS 2 to 7 may be empty
--       2 the job's id   3 to 5 those of rate_limit.lua
-- Returns what rate_limit.lua returns, and only that if the request is not allowed. Then 'made' and
-- what transition.lua returns; or 'known' and the record that there is; or 'ask', whether there are
-- archived records, and whether there are callbacks: nothing is stored then.
local function count(KEYS, ARGV)
@count@
end
local function store(KEYS, ARGV)
@store@
end

local counted = count({KEYS[10]}, {ARGV[3], ARGV[4], ARGV[5]})
if counted[1] == 0 then return {counted} end
local record = redis.call('HGETALL', KEYS[1])
if #record > 0 then
  -- It may be new, and not every replica may have it: only a write makes WAIT wait for it.
  redis.set_repl(redis.REPL_REPLICA)
  redis.call('HSET', KEYS[1], 'id', ARGV[2])
  return {counted, 'known', record}
end
if ARGV[1] == '' then return {counted} end
local archiving, callbacks = redis.call('EXISTS', KEYS[8]), redis.call('EXISTS', KEYS[9])
if archiving + callbacks > 0 then return {counted, 'ask', archiving, callbacks} end
redis.set_repl(redis.REPL_ALL)
return {counted, 'made', store(KEYS, ARGV)}
