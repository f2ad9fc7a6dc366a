-- Keeps a value unless something newer stands at its name: a value or a tombstone with a higher version.
-- In: KEYS[1] the name; ARGV[1] the value, which begins with a letter and its version; ARGV[2] the version; ARGV[3] its life in milliseconds.
-- Out: 1 if it is kept, 0 if not. All of it is atomic.
local there = redis.pcall('GETRANGE', KEYS[1], 0, 17)
-- What is of another type or form is nothing of ours.
local version = type(there) == 'string' and string.match(there, '^[rt](%d+) ')
if version and tonumber(version) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
