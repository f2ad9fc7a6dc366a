-- Notes something and tells that it was noted.
-- In: KEYS[1] the name; ARGV[1] the value; ARGV[2] the channel; ARGV[3] the value's life in milliseconds.
-- Out: nothing. All of it is atomic.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[2], '')
