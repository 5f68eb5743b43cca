-- Revokes a key; the time of an earlier revocation is kept. It may run twice, and always writes.
--
-- KEYS  1 the key's hash
-- ARGV  1 now, in Unix seconds   2 seconds until Redis forgets it
-- Returns 1 if there is such a key.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSETNX', KEYS[1], 'revoked_at', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
