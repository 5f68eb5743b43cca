-- Writes the record of a new key, unless another key has its id. It may run twice.
--
-- KEYS  1 the key's hash   2 the index
-- ARGV  1 the key's id   2 when it was created   3 seconds until Redis forgets it, or ''
--       4 its digest   5… further fields and values
-- Returns 1 if the record is there now.
local digest = redis.call('HGET', KEYS[1], 'digest')
if digest and digest ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], 'digest', ARGV[4], unpack(ARGV, 5))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
if ARGV[3] ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
return 1
