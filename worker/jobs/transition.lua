-- The only way in which a job record changes: compare, set, and append the event, atomically.
--
-- KEYS  1 the job's hash   2 the event stream of its shard   3 timers (sorted set: job -> due)
--       4 the prefix of the indexes, "falhook:{2a}:jobs"     5 the bell, a channel
--       6 hash: state -> jobs of all tenants but the default one
--       7 the events that receivers are owed (sorted set: event -> when)
-- ARGV  1 JSON: id, at, expected (states; absent: the record must not exist yet), to (absent: the
--       state stays), guard (field -> value that it must have), unleased_at (the lease must
--       have ended by then), set, drop (fields to remove), bump (fields to add 1 to), due (absent:
--       leave; "": no timer), event (fields of the event; absent: none), unkept (fields of the
--       event that the history does not keep), forget (names of earlier events that the history
--       loses), keep (events kept in the stream), remember (bytes
--       of history kept), day and hour (of the change, if its state is counted by days.py),
--       failure (reason and message of the group of failures.py), count (what counts.py adds),
--       whole (answer with the record)
-- Returns {1, new state, whether an event is owed} if it was changed, for a new job and by `whole`
-- also the fields of its record (of a field that is twice in it, the second counts), else
-- {0, present state ("" without a record)}.
--
-- One HMGET and one HSET serve a whole change: commands are what a busy Redis runs out of.
local order = cjson.decode(ARGV[1])
local names = {'state', 'lease_until', 'event_metadata', 'history', 'tenant', 'owes', 'told'}
for field in pairs(order.guard or {}) do table.insert(names, field) end
for _, field in ipairs(order.bump or {}) do table.insert(names, field) end
if order.to then
  table.insert(names, 'failure')
  table.insert(names, 'updated_at')
end
if order.day then
  for _, field in ipairs({'endpoint', 'estimate', 'attempt', 'posted', 'charged'}) do
    table.insert(names, field)
  end
end
-- Answers that have the whole record need no other command to read it.
local whole = (order.whole or (order.set and order.set.created_at)) and {}
local record = {}
if whole then
  local fields = redis.call('HGETALL', KEYS[1])
  for at = 1, #fields, 2 do whole[fields[at]] = fields[at + 1] end
  for _, name in ipairs(names) do record[name] = whole[name] or '' end
else
  for index, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
    record[names[index]] = value or ''
  end
end
local state = record.state
local base = string.match(KEYS[1], '^[^}]*}:')

-- What is counted of all jobs of the shard: counts.py says what the fields are. A count that fails
-- fails no move. Names are not without end: beyond this, new ones are counted as another.
local function add(field, by, another)
  local value = redis.pcall('HINCRBY', base .. 'm', field, by)
  if value == by and another and redis.call('HLEN', base .. 'm') > 480 then
    redis.call('HDEL', base .. 'm', field)
    redis.call('HINCRBY', base .. 'm', another, by)
  end
  return value
end

-- Counts a move and the seconds before it in one number. The two halves are counted apart once it
-- is so large that they would meet, or that Lua's numbers lose digits.
local function moved(field, seconds)
  local value = add(field, 1000000000000 + math.floor(math.min(seconds, 150000) * 100 + 0.5))
  if type(value) == 'number' and value > 1000000000000000 then
    redis.call('HINCRBY', base .. 'm', field .. '|n', math.floor(value / 1000000000000))
    redis.call('HINCRBY', base .. 'm', field .. '|s', value % 1000000000000)
    redis.call('HDEL', base .. 'm', field)
  end
end

local function refused()
  add('refused|' .. (state == '' and 'NONE' or state), 1)
  return {0, state}
end

if order.expected then
  local fits = false
  for _, expected in ipairs(order.expected) do
    if expected == state then fits = true end
  end
  if not fits then return refused() end
elseif state ~= '' then
  return refused()
end

-- An absent field is 0, or empty.
local function plain(value) return value == '0' and '' or value end
for field, value in pairs(order.guard or {}) do
  if plain(record[field]) ~= plain(value) then return refused() end
end
if order.unleased_at and (tonumber(record.lease_until) or 0) > tonumber(order.unleased_at) then
  return refused()
end

local to = order.to or state
local values = order.set or {}
for _, field in ipairs(order.bump or {}) do
  values[field] = string.format('%d', (tonumber(record[field]) or 0) + 1)
end
if to ~= state then
  values.state = to
  values.updated_at = order.at
end
-- Empty for the default tenant, which has no indexes of its own.
local tenant = values.tenant or record.tenant
if order.due then values.due_at = order.due == '' and '0' or order.due end

-- Counts of days and of groups of failures: days.py and failures.py say what they are.
local counted = tenant ~= '' and tenant or 'default'
local endpoint = values.endpoint or record.endpoint or ''

local function micros()
  local known, estimate = pcall(cjson.decode, values.estimate or record.estimate or '')
  local usd = known and type(estimate) == 'table' and tonumber(estimate.usd) or 0
  return math.floor(usd * 1000000 + 0.5)
end

local left_group = to ~= state and record.failure or ''
local group, charge
if order.day and to ~= state then
  local attempt = record.attempt ~= '' and record.attempt or '0'
  if to == 'RENDERED' and record.charged ~= attempt then
    charge = micros()
    values.charged = attempt
  end
  if order.failure then
    group = {
      tenant = counted,
      endpoint = endpoint,
      reason = order.failure.reason,
      message = order.failure.message,
    }
    local paid = record.charged ~= '' or (to == 'EXPIRED' and plain(record.posted) ~= '')
    group.usd = paid and micros() or 0
    local function id()
      local parts = {counted, group.endpoint, group.reason, group.message}
      return string.sub(redis.sha1hex(cjson.encode(parts)), 1, 12)
    end
    group.id = id()
    -- Texts of others are not without end: beyond this, reasons are counted without them.
    if redis.call('HLEN', base .. 'failed') >= 1000
      and redis.call('HEXISTS', base .. 'failed', group.id) == 0 then
      group.endpoint, group.message = '', ''
      group.id = id()
    end
    values.failure = group.id .. ' ' .. string.format('%d', group.usd)
  end
end
if left_group ~= '' and not group then
  order.drop = order.drop or {}
  table.insert(order.drop, 'failure')
end

-- What receivers are told of is owed with the change itself: worker/notifications/owed_event.py.
local owed
if to ~= state and string.find(' ' .. (values.owes or record.owes) .. ' ', ' ' .. to .. ' ', 1, true) then
  values.told = string.format('%d', (tonumber(record.told) or 0) + 1)
  owed = order.id .. ' ' .. values.told .. ' ' .. (state == '' and '-' or state) .. ' ' .. to .. ' '
    .. order.at
end

local line
if order.event then
  local kept = {at = order.at, to = to ~= state and to or nil}
  -- 'job' is the older name of 'id'.
  line = {'id', order.id, 'job', order.id, 'at', order.at, 'from', state, 'to', to}
  local shared = values.event_metadata or record.event_metadata
  if to ~= state and shared ~= '{}' and shared ~= '' then
    table.insert(line, 'metadata')
    table.insert(line, shared)
    kept.metadata = shared
  end
  if tenant ~= '' then
    table.insert(line, 'tenant')
    table.insert(line, tenant)
  end
  for field, value in pairs(order.event) do
    table.insert(line, field)
    table.insert(line, value)
    kept[field] = value
  end
  for _, field in ipairs(order.unkept or {}) do kept[field] = nil end
  local history = record.history
  for _, name in ipairs(order.forget or {}) do
    history = string.gsub(history, '[^\n]*"name":"' .. name .. '"[^\n]*\n', '')
  end
  history = history .. cjson.encode(kept) .. '\n'
  while #history > order.remember do history = string.gsub(history, '^[^\n]*\n', '') end
  values.history = history
end

-- The record is written first: a Redis that is full refuses this command and has changed nothing.
for _, field in ipairs(order.drop or {}) do values[field] = nil end
local fields = {}
for field, value in pairs(values) do
  table.insert(fields, field)
  table.insert(fields, value)
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
if order.drop then redis.call('HDEL', KEYS[1], unpack(order.drop)) end
if owed then redis.call('ZADD', KEYS[7], order.at, owed) end

-- Puts the job where it belongs in an index and in those of its states; returns 1 for the index of a
-- state that it left, and 1 for the one that it entered.
local function place(index)
  local left, entered = 0, 0
  if to ~= state then
    if state ~= '' then left = redis.call('ZREM', index .. ':' .. state, order.id) end
    entered = redis.call('ZADD', index .. ':' .. to, order.at, order.id)
  end
  -- A job that replaces a rejected one counts from its own creation.
  if values.created_at then redis.call('ZADD', index, order.at, order.id) end
  return left, entered
end

place(KEYS[4])

if left_group ~= '' then
  local id, usd = string.match(left_group, '^(%x+) (%d+)$')
  if id and redis.call('ZREM', base .. 'failed:' .. id, order.id) == 1 then
    local part = redis.call('HGET', base .. 'failed', id)
    part = part and cjson.decode(part)
    if part and part.n > 1 then
      part.n, part.usd = part.n - 1, math.max(0, part.usd - tonumber(usd))
      redis.call('HSET', base .. 'failed', id, cjson.encode(part))
    else
      redis.call('HDEL', base .. 'failed', id)
    end
  end
end
if group and redis.call('ZADD', base .. 'failed:' .. group.id, order.at, order.id) == 1 then
  local known = redis.call('HGET', base .. 'failed', group.id)
  local part = known and cjson.decode(known) or {n = 0, usd = 0, first = order.at}
  redis.call('HSET', base .. 'failed', group.id, cjson.encode({
    tenant = group.tenant,
    endpoint = group.endpoint,
    reason = group.reason,
    message = group.message,
    n = part.n + 1,
    usd = part.usd + group.usd,
    first = part.first,
    last = order.at,
    job = order.id,
  }))
end
if order.day and to ~= state then
  local day = base .. 'day:' .. order.day
  local function of_day(field, by)
    -- The first field of a day is new, like some that follow.
    if redis.call('HINCRBY', day, field, by) == by then redis.call('EXPIRE', day, 400 * 86400) end
  end
  if charge then
    of_day('n|' .. counted .. '|' .. endpoint, 1)
    if charge > 0 then of_day('usd|' .. counted .. '|' .. endpoint, charge) end
  end
  if to ~= 'RENDERED' then of_day('end|' .. counted .. '|' .. to .. '|' .. order.hour, 1) end
end
if to ~= state then
  local move = 'mv|' .. (state == '' and 'NEW' or state) .. '|' .. to
  local since = tonumber(record.updated_at)
  if since then
    local s = math.max(0, tonumber(order.at) - since)
    local le = s <= 0.05 and 1 or s <= 0.1 and 2 or s <= 0.25 and 3 or s <= 0.5 and 4 or s <= 1 and 5
      or s <= 2.5 and 6 or s <= 5 and 7 or s <= 10 and 8 or s <= 30 and 9 or s <= 60 and 10
      or s <= 120 and 11 or s <= 300 and 12 or s <= 600 and 13 or s <= 1200 and 14 or s <= 1800 and 15
      or s <= 3600 and 16 or s <= 7200 and 17 or s <= 14400 and 18 or 19
    moved(move .. '|' .. le, s)
  else
    moved(move .. '|0', 0)
  end
  if order.day then
    -- The endpoint of a creation that was rejected can be any text.
    local name = #endpoint <= 100 and string.match(endpoint, '^[%w._/-]+$') or 'other'
    if charge and charge > 0 then add('usd|' .. name .. '|estimate', charge, 'usd|other|estimate') end
    if to ~= 'RENDERED' then
      local reason = order.event and order.event.reason or ''
      add('end|' .. name .. '|' .. to .. '|' .. reason, 1, 'end|other|' .. to .. '|other')
    end
  end
end
for field, by in pairs(order.count or {}) do add(field, by) end
if tenant ~= '' then
  -- What is counted is what is in the indexes, also if something else has changed these.
  local left, entered = place(KEYS[4] .. ':t:' .. tenant)
  if left == 1 then redis.call('HINCRBY', KEYS[6], state, -1) end
  if entered == 1 then redis.call('HINCRBY', KEYS[6], to, 1) end
end
if order.due == '' then
  redis.call('ZREM', KEYS[3], order.id)
elseif order.due then
  redis.call('ZADD', KEYS[3], order.due, order.id)
end
if line then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', order.keep, '*', unpack(line))
  -- Redis before 7.0 has no channels of shards. Events within a state are read within a second.
  if to ~= state and type(redis.pcall('SPUBLISH', KEYS[5], '1')) == 'table' then
    redis.call('PUBLISH', KEYS[5], '1')
  end
end
if not whole then return {1, to, owed and 1 or 0} end
for _, field in ipairs(order.drop or {}) do whole[field] = nil end
local answer = {}
for _, changed in ipairs({whole, values}) do
  for field, value in pairs(changed) do
    table.insert(answer, field)
    table.insert(answer, value)
  end
end
return {1, to, owed and 1 or 0, answer}
