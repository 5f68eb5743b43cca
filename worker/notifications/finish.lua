-- Notes what came of an attempt, and what follows from it for the event and its endpoint.
--
-- KEYS  1 the endpoint's hash   2 its lane   3 what is under way   4 the history of the event
--       5 the list of histories   6 those that are dead
-- ARGV  1 JSON: line, name (of the history), now, lease (the end of the lease that was claimed),
--       state (delivered, waiting or dead), due (of the next attempt), tries, attempt (a line of
--       JSON), answer, keep (seconds for the history), hold (absent: the lane goes on; else until
--       when it waits), disable (why the endpoint is to be disabled; absent: it is not),
--       given_up_after (seconds of failure)
--       2 histories listed at most
-- Returns 'kept', 'lost' if another worker has taken the event since, or 'disabled'.
local order = cjson.decode(ARGV[1])
local lease = redis.call('ZSCORE', KEYS[3], order.line)
local mine = lease and tonumber(lease) == order.lease
-- A success counts whoever has the event now.
if not mine and order.state ~= 'delivered' then return 'lost' end
local known = redis.call('HMGET', KEYS[4], 'log', 'state')
local fields = {'line', order.line, 'state', order.state, 'tries', order.tries, 'at', order.now,
  'answer', order.answer, 'due', order.due or '',
  'log', (known[1] or '') .. order.attempt .. '\n'}
redis.call('HSET', KEYS[4], unpack(fields))
redis.call('EXPIRE', KEYS[4], order.keep)
if order.state == 'dead' then
  redis.call('ZADD', KEYS[6], order.now, order.name)
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', tonumber(order.now) - order.keep)
  redis.call('EXPIRE', KEYS[6], order.keep)
elseif known[2] == 'dead' then
  redis.call('ZREM', KEYS[6], order.name)
end
redis.call('ZREM', KEYS[3], order.line)
redis.call('ZADD', KEYS[5], string.match(order.line, '%S+$'), order.name)
if redis.call('ZCARD', KEYS[5]) > tonumber(ARGV[2]) then
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -tonumber(ARGV[2]) - 1)
end

local endpoint = redis.call('HMGET', KEYS[1], 'state', 'ordered', 'failures', 'failing_since')
if order.state == 'delivered' then
  redis.call('ZREM', KEYS[2], order.line)
  if endpoint[3] and endpoint[3] ~= '0' then
    redis.call('HSET', KEYS[1], 'failures', '0')
    redis.call('HDEL', KEYS[1], 'failing_since', 'probe_at', 'hold_until', 'head_due')
  end
  return 'kept'
end

local ordered = endpoint[2] == '1'
local since = endpoint[4] or order.now
local changes = {'failures', string.format('%d', (tonumber(endpoint[3]) or 0) + 1),
  'failing_since', since}
if order.hold then
  table.insert(changes, 'hold_until')
  table.insert(changes, order.hold)
end
if order.state == 'waiting' then
  -- An ordered lane keeps the place of its first event, and waits with it.
  redis.call('ZADD', KEYS[2], ordered and string.match(order.line, '%S+$') or order.due, order.line)
end
if ordered then
  table.insert(changes, 'head_due')
  table.insert(changes, order.state == 'waiting' and order.due or '0')
end
local why = order.disable
if tonumber(order.now) - tonumber(since) >= order.given_up_after then why = why or 'failing' end
if not endpoint[1] then return 'kept' end
redis.call('HSET', KEYS[1], unpack(changes))
if not why or endpoint[1] ~= 'enabled' then return 'kept' end
redis.call('HSET', KEYS[1], 'state', 'disabled', 'why', why, 'changed_at', order.now,
  'told', order.now)
redis.call('HINCRBY', KEYS[1], 'disables', 1)
return 'disabled'
