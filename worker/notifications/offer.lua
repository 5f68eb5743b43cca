-- Puts events into the lane of an endpoint, unless they are in it, under way, or have been tried.
--
-- KEYS  1 the endpoint's hash   2 its lane   3 what is under way
--       4 the prefix of the histories, "falhook:{ep:ID}:d:"
-- ARGV  1 now, in Unix seconds   2… the lines of the events
-- Returns 1, or 0 if the endpoint is not enabled.
local endpoint = redis.call('HMGET', KEYS[1], 'state', 'ordered')
if endpoint[1] ~= 'enabled' then return 0 end
for place = 2, #ARGV do
  local line = ARGV[place]
  local subject, n, at = string.match(line, '^(%S+) (%S+) %S+ %S+ (%S+)$')
  if not redis.call('ZSCORE', KEYS[3], line)
    and redis.call('EXISTS', KEYS[4] .. subject .. ':' .. n) == 0 then
    redis.call('ZADD', KEYS[2], 'NX', endpoint[2] == '1' and at or ARGV[1], line)
  end
end
return 1
