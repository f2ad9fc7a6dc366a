-- Removes a value that was not believed, unless another one stands in its place by now.
-- In: KEYS[1] the name; ARGV[1] what the value begins with; ARGV[2] its length.
-- Out: how many were removed. All of it is atomic.
local there = redis.pcall('GETRANGE', KEYS[1], 0, string.len(ARGV[1]) - 1)
if there ~= ARGV[1] or redis.call('STRLEN', KEYS[1]) ~= tonumber(ARGV[2]) then return 0 end
return redis.call('UNLINK', KEYS[1])
