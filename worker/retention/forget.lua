-- Removes the record of a job that was archived, unless something has happened to it since.
--
-- KEYS  1 the job's hash   2 timers   3 the index of all jobs   4 the index of its state
--       of a job of a named tenant also: 5 its tenant's index   6 that of the state
--       7 hash: state -> jobs of named tenants
-- ARGV  1 the job's id   2 its state   3 its history, as it was archived
-- Returns 1 if it was removed.
local record = redis.call('HMGET', KEYS[1], 'state', 'history')
if record[1] ~= ARGV[2] or (record[2] or '') ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[1])
for at = 2, math.min(#KEYS, 5) do redis.call('ZREM', KEYS[at], ARGV[1]) end
if KEYS[6] and redis.call('ZREM', KEYS[6], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[7], ARGV[2], -1)
end
return 1
