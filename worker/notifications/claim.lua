-- Takes events that are due out of the lane of an endpoint, and leases them.
--
-- KEYS  1 the endpoint's hash   2 its lane   3 what is under way: line -> end of its lease
--       4 the prefix of the histories
-- ARGV  1 now   2 events at most   3 end of the lease   4 attempts at a time   5 failures in a row
--       that open the breaker   6 seconds between its probes
-- Returns the state of the endpoint, when to look again ('': never), 1 if the lane has more that is
-- due now, 2 if it has to wait for an attempt to end, then each line with its attempts since it was
-- (re-)sent.
local endpoint = redis.call('HMGET', KEYS[1], 'state', 'ordered', 'failures', 'probe_at',
  'hold_until', 'head_due')
local now = tonumber(ARGV[1])
local ordered = endpoint[2] == '1'

-- What a worker took that died since.
for _, line in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[3], line)
  redis.call('ZADD', KEYS[2], ordered and string.match(line, '%S+$') or ARGV[1], line)
end
if endpoint[1] ~= 'enabled' then
  return {endpoint[1] or 'removed', '', redis.call('ZCARD', KEYS[2]) > 0 and 1 or 0}
end

local busy = redis.call('ZCARD', KEYS[3])
local most = math.min(tonumber(ARGV[2]), (ordered and 1 or tonumber(ARGV[4])) - busy)
local wait = math.max(tonumber(endpoint[5]) or 0, ordered and tonumber(endpoint[6]) or 0)
local open = (tonumber(endpoint[3]) or 0) >= tonumber(ARGV[5])
if open then
  wait = math.max(wait, tonumber(endpoint[4]) or 0)
  most = math.min(most, 1)
end
local taken = {}
if wait <= now and most > 0 then
  taken = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, most)
end
local answer = {}
for _, line in ipairs(taken) do
  redis.call('ZREM', KEYS[2], line)
  redis.call('ZADD', KEYS[3], ARGV[3], line)
  local subject, n = string.match(line, '^(%S+) (%S+) ')
  table.insert(answer, line)
  table.insert(answer, redis.call('HGET', KEYS[4] .. subject .. ':' .. n, 'tries') or '0')
end
if open and #taken > 0 then redis.call('HSET', KEYS[1], 'probe_at', now + tonumber(ARGV[6])) end

-- When there will be something to do: the first that is due, but not before the lane may go on; or
-- the end of the first lease.
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local lease = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
local again, more = '', 0
if first[2] then
  local at = math.max(tonumber(first[2]), wait)
  if open and #taken > 0 then at = math.max(at, now + tonumber(ARGV[6])) end
  if at > now then
    again = string.format('%.6f', at)
  else
    more = busy + #taken < (ordered and 1 or tonumber(ARGV[4])) and 1 or 2
  end
end
if lease[2] and (again == '' or tonumber(lease[2]) < tonumber(again)) then again = lease[2] end
return {endpoint[1], again, more, unpack(answer)}
