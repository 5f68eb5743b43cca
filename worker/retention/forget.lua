-- Removes the record of a job that was archived, unless something has happened to it since.
--
-- KEYS  1 the job's hash   2 timers   3 the index of all jobs   4 the index of its state
--       of a job of a named tenant also: 5 its tenant's index   6 that of the state
--       7 hash: state -> jobs of named tenants
-- ARGV  1 the job's id   2 its state   3 its history, as it was archived
-- Returns 1 if it was removed.
local record = redis.call('HMGET', KEYS[1], 'state', 'history', 'failure')
if record[1] ~= ARGV[2] or (record[2] or '') ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[1])
for at = 2, math.min(#KEYS, 5) do redis.call('ZREM', KEYS[at], ARGV[1]) end
if KEYS[6] and redis.call('ZREM', KEYS[6], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[7], ARGV[2], -1)
end
-- Its group of failures: worker/jobs/failures.py.
local id, usd = string.match(record[3] or '', '^(%x+) (%d+)$')
local failed = string.match(KEYS[1], '^[^}]*}:') .. 'failed'
if id and redis.call('ZREM', failed .. ':' .. id, ARGV[1]) == 1 then
  local part = redis.call('HGET', failed, id)
  part = part and cjson.decode(part)
  if part and part.n > 1 then
    part.n, part.usd = part.n - 1, math.max(0, part.usd - tonumber(usd))
    redis.call('HSET', failed, id, cjson.encode(part))
  else
    redis.call('HDEL', failed, id)
  end
end
return 1
