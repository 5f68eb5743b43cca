-- Ends what waits in the lane of an endpoint that is not enabled: it is dead, and can be re-sent.
--
-- KEYS  1 the endpoint's hash   2 its lane   3 the list of histories   4 the prefix of the histories
--       5 the list of the dead
-- ARGV  1 now   2 events at most   3 seconds for which dead ones are kept
-- Returns how many are left.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'enabled' then return 0 end
for _, line in ipairs(redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[2]) - 1)) do
  redis.call('ZREM', KEYS[2], line)
  -- Of an endpoint that was removed nothing is kept.
  if state == 'disabled' then
    local subject, n, at = string.match(line, '^(%S+) (%S+) %S+ %S+ (%S+)$')
    local history = KEYS[4] .. subject .. ':' .. n
    redis.call('HSET', history, 'line', line, 'state', 'dead', 'at', ARGV[1], 'due', '')
    redis.call('EXPIRE', history, ARGV[3])
    redis.call('ZADD', KEYS[3], at, subject .. ':' .. n)
    redis.call('ZADD', KEYS[5], ARGV[1], subject .. ':' .. n)
    redis.call('EXPIRE', KEYS[5], ARGV[3])
  end
end
return redis.call('ZCARD', KEYS[2])
