-- Puts a tombstone in the place of what is older than its version, and of nothing.
-- In: KEYS[1] the name; ARGV[1] the tombstone; ARGV[2] its version; ARGV[3] its life in milliseconds.
-- Out: 1 if it stands there, 0 if what is there is as new. All of it is atomic.
local there = redis.pcall('GETRANGE', KEYS[1], 0, 17)
local version = type(there) == 'string' and string.match(there, '^[rt](%d+) ')
if version and tonumber(version) >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
