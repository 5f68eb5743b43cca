-- Moves what the layout of version 0.1 has of one job into the job's shard, atomically.
--
-- ARGV  1 the job's id   2 the beginning of its shard's keys, "falhook:{2a}:"
-- Returns 1 if its record was moved, 0 if there is none, -1 if the shard has another one already.
--
-- That layout has no hash tags, so it never was in a Redis Cluster, and the script names its keys.
local id, shard = ARGV[1], ARGV[2]

local function move_entry(set, field)
  local score = redis.call('ZSCORE', 'falhook:' .. set, field)
  if score then
    redis.call('ZADD', shard .. set, 'NX', score, field)
    redis.call('ZREM', 'falhook:' .. set, field)
  end
end

-- The name of a hash of callbacks, those that are pending, crashed, or set aside.
local function move_callbacks(name)
  local from, to = 'falhook:' .. name, shard .. name
  if redis.call('EXISTS', from) == 0 or redis.call('RENAMENX', from, to) == 1 then return end
  local fields = redis.call('HGETALL', from)
  for at = 1, #fields, 2 do redis.call('HSETNX', to, fields[at], fields[at + 1]) end
  redis.call('DEL', from)
end

local function lines_of(stream)
  local lines = ''
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
    local kept = {}
    for at = 1, #entry[2], 2 do kept[entry[2][at]] = entry[2][at + 1] end
    if kept.to == kept.from then kept.to = nil end
    kept.id, kept.job, kept.from = nil, nil, nil
    lines = lines .. cjson.encode(kept) .. '\n'
  end
  return lines
end

move_callbacks('inbox:' .. id)
move_callbacks('inbox:' .. id .. ':crashes')
move_callbacks('inbox:' .. id .. ':aside')
move_entry('inbox', id)

local old, new = 'falhook:job:' .. id, shard .. 'job:' .. id
if redis.call('EXISTS', old) == 0 then
  -- What is left of a record that was removed by hand.
  for _, set in ipairs({'timers', 'jobs'}) do redis.call('ZREM', 'falhook:' .. set, id) end
  return 0
end
if redis.call('RENAMENX', old, new) == 0 then return -1 end
redis.call('HSET', new, 'history', lines_of(old .. ':events'))
redis.call('DEL', old .. ':events')
move_entry('jobs', id)
move_entry('jobs:' .. (redis.call('HGET', new, 'state') or ''), id)
move_entry('timers', id)
return 1
