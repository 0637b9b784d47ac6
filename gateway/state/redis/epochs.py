"""The Lua that says on which server a tenant's counters are whole, who has told what it knows, and who is there.

`epoch` is the `run_id` (new at every start) of the server on which the counters are whole, `joined` that on which each
process has told its file. A flush, an empty or shortened restart, a failover, a moved slot: the two no longer name this
server, and nothing is admitted. While a process tells, its entry is a token of its own: gone with what it told.
"""

from gateway.state.redis.scripts import COMMON

# KEYS: epoch, joined. ARGV: process, a token. From now on nothing is admitted for this process until it has joined.
# Returns whether the epoch is right.
BEGIN = (
    COMMON
    + """
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call('GET', KEYS[1]) == run_id() and 1 or 0
"""
)

# KEYS: joined. ARGV: process, its token. Returns 0 when the token is gone, for then all that was told is gone too.
JOIN = (
    COMMON
    + """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], run_id())
return 1
"""
)

# KEYS: epoch, joined. ARGV: process, then the processes to wait for. Opens the tenant when all have joined. Returns how
# many have not, or -1 when this process's own joining was lost.
OPEN = (
    COMMON
    + """
local run, missing = run_id(), 0
if redis.call('HGET', KEYS[2], ARGV[1]) ~= run then return -1 end
if redis.call('GET', KEYS[1]) == run then return 0 end
for i = 2, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) ~= run then missing = missing + 1 end
end
if missing > 0 then return missing end
local joined = redis.call('HGETALL', KEYS[2])
for i = 1, #joined, 2 do  -- who joined an earlier run; whoever is about to join has a token there, which is shorter
  if #joined[i + 1] == #run and joined[i + 1] ~= run then redis.call('HDEL', KEYS[2], joined[i]) end
end
redis.call('SET', KEYS[1], run)
return 0
"""
)

# KEYS: processes and their beats, tenants lost, tenants whose leases are wanted back. ARGV: process, seconds after
# which an entry is dropped. Returns whether the process is new there, the processes and beats in turn, the two lists.
BEAT = """
local now, keep = redis.call('TIME'), tonumber(ARGV[2])
local fresh = redis.call('HSET', KEYS[1], ARGV[1], now[1] .. '.' .. now[2])
local beats = redis.call('HGETALL', KEYS[1])
for i = 1, #beats, 2 do
  if tonumber(beats[i + 1]) < now[1] - keep then redis.call('HDEL', KEYS[1], beats[i]) end
end
for i = 2, 3 do redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now[1] - keep) end
return {fresh, beats, redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('ZRANGE', KEYS[3], 0, -1)}
"""

# KEYS: tenants lost, or wanted. ARGV: tenant. At the server's own time.
NAME = "redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])"
