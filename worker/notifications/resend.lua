-- Puts an event that was delivered or is dead back into the lane, due now, with all its attempts.
--
-- KEYS  1 the endpoint's hash   2 its lane   3 what is under way   4 the history of the event
--       5 the list of the dead
-- ARGV  1 now   2 seconds for which its history is kept   3 the line of the event, if it may have no
--       history yet   4 the name of the history
-- Returns 'sent', 'unknown', 'under_way', or the state of an endpoint that is not enabled.
local endpoint = redis.call('HMGET', KEYS[1], 'state', 'ordered')
if endpoint[1] ~= 'enabled' then return endpoint[1] or 'removed' end
local line = redis.call('HGET', KEYS[4], 'line') or ARGV[3]
if not line or line == '' then return 'unknown' end
if redis.call('ZSCORE', KEYS[3], line) then return 'under_way' end
redis.call('HSET', KEYS[4], 'line', line, 'state', 'waiting', 'tries', '0', 'due', ARGV[1])
redis.call('EXPIRE', KEYS[4], ARGV[2])
redis.call('ZREM', KEYS[5], ARGV[4])
redis.call('ZADD', KEYS[2], endpoint[2] == '1' and string.match(line, '%S+$') or ARGV[1], line)
return 'sent'
