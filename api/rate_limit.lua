-- Counts a request against a limit: GCRA, a bucket that fills evenly and is never stored as a count.
-- https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
--
-- KEYS  1 when the bucket is full again, and when that was written: microseconds of this clock
-- ARGV  1 microseconds in which one request comes back   2 requests of a full bucket   3 the cost
-- Returns whether it is allowed, the requests left, and microseconds until the bucket is full and
-- until the request would be allowed.
local each, most, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full, written = string.match(redis.call('GET', KEYS[1]) or '', '(%d+) (%d+)')
full, written = tonumber(full or now), tonumber(written or now)
-- A clock that was set back, or that of another server after a failover, delays nobody.
if written > now then full = full - (written - now) end
full = math.max(full, now)
-- The requests left when the bucket is full at that time; times were rounded to microseconds.
local function left(at) return math.max(0, math.floor(most - (at - now) / each + 0.001)) end
local after = full + each * cost
-- What costs more than a whole bucket needs a full one, and is paid back afterwards.
local wait = after - now - each * math.max(most, cost)
if wait > 0.5 then return {0, left(full), full - now, math.ceil(wait)} end
-- A limit need not outlive its server: nothing is written to its disk, or sent to its replicas.
redis.set_repl(redis.REPL_NONE)
local ends = string.format('%.0f %.0f', after, now)
-- A Redis that takes no writes refuses creations by itself; who only reads is not refused.
-- It removes what expires with a write to its disk: not for each request, but once it was idle.
redis.pcall('SET', KEYS[1], ends, 'PX', math.ceil((after - now) / 1000) + 60000)
return {1, left(after), after - now, 0}
