-- The only way in which a job record changes: compare, set, and append the event, atomically.
--
-- KEYS  1 the job's hash   2 its history (stream)   3 the event stream of all jobs
--       4 timers (sorted set: job -> due)           5 the index prefix, "falhook:jobs"
-- ARGV  1 JSON: id, at, expected (states; absent: the record must not exist yet), to (absent: the
--       state stays), guard (field -> value that it must have), unleased_at (the lease must
--       have ended by then), set, bump (fields to add 1 to), due (absent: leave;
--       "": no timer), event (fields of the event; absent: none), keep (events kept)
-- Returns {1, new state} if it was changed, else {0, present state ("" without a record)}.
local order = cjson.decode(ARGV[1])
local state = redis.call('HGET', KEYS[1], 'state') or ''

if order.expected then
  local fits = false
  for _, expected in ipairs(order.expected) do
    if expected == state then fits = true end
  end
  if not fits then return {0, state} end
elseif state ~= '' then
  return {0, state}
end

for field, value in pairs(order.guard or {}) do
  if (redis.call('HGET', KEYS[1], field) or '') ~= value then return {0, state} end
end

if order.unleased_at then
  local till = tonumber(redis.call('HGET', KEYS[1], 'lease_until') or '0')
  if till > tonumber(order.unleased_at) then return {0, state} end
end

-- A job that replaces a rejected one counts from its own creation.
if (order.set or {}).created_at then redis.call('ZADD', KEYS[5], order.at, order.id) end
local to = order.to or state
for field, value in pairs(order.set or {}) do redis.call('HSET', KEYS[1], field, value) end
for _, field in ipairs(order.bump or {}) do redis.call('HINCRBY', KEYS[1], field, 1) end

if to ~= state then
  redis.call('HSET', KEYS[1], 'state', to, 'updated_at', order.at)
  if state ~= '' then redis.call('ZREM', KEYS[5] .. ':' .. state, order.id) end
  redis.call('ZADD', KEYS[5] .. ':' .. to, order.at, order.id)
end

if order.due == '' then
  redis.call('ZREM', KEYS[4], order.id)
  redis.call('HSET', KEYS[1], 'due_at', '0')
elseif order.due then
  redis.call('ZADD', KEYS[4], order.due, order.id)
  redis.call('HSET', KEYS[1], 'due_at', order.due)
end

if order.event then
  -- 'job' is the older name of 'id'.
  local line = {'id', order.id, 'job', order.id, 'at', order.at, 'from', state, 'to', to}
  local shared = redis.call('HGET', KEYS[1], 'event_metadata') or '{}'
  if to ~= state and shared ~= '{}' then
    table.insert(line, 'metadata')
    table.insert(line, shared)
  end
  for field, value in pairs(order.event) do
    table.insert(line, field)
    table.insert(line, value)
  end
  local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', order.keep, '*', unpack(line))
  redis.call('XADD', KEYS[2], id, unpack(line))
end
return {1, to}
