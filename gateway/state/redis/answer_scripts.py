"""The Lua by which Redis keeps cached answers: each script is one atomic step, so that no index ever misses an answer.

All keys share one hash tag (KEYS[1], their common beginning; no key of that name exists): a cluster keeps the whole
cache on one node, bounded by the number of answers, and what is atomic stays so. Below it:

entry:<key>         hash: the answer; Redis drops it when it expires
members             hash: key -> [partition, has a vector, tags], all that is needed to remove an answer everywhere
expires, worth      sorted sets of the keys: by expiry, and by priority (`gateway.state.eviction`); `age` is its clock
partition:<digest>  set of the keys with a vector;  tag:<tag>  set of the keys
log, number         stream of what changed, partition -> key, numbered without gaps; of answers with a vector only
epoch               random: another one, or another run of the server, and a view of the log must begin anew
purges              sorted set: what was purged (`all`, `tag:<tag>`) by when; no answer begun before may come after it
nearest:<digest>    vector set (Redis 8): the vectors of a partition, where the store is to compare them itself
"""

from gateway.state import RUNS_S
from gateway.state.eviction import LOG, SWEPT

# Seconds. A gateway says how long ago it began an answer; on its way here it may be as much older.
ON_THE_WAY_S = 0.1

COMMON = f"""
local LOG, SWEPT, RUNS_S, ON_THE_WAY_S = {LOG}, {SWEPT}, {RUNS_S}, {ON_THE_WAY_S}
local call, root = redis.call, KEYS[1] .. ':'

local function now()
  local time = call('TIME')
  return time[1] + time[2] / 1e6
end

local function changed(partition, key)
  call('XADD', root .. 'log', 'MAXLEN', '~', LOG, call('INCR', root .. 'number') .. '-0', partition, key)
end

-- The index is Redis's own, and no part of what is atomic: what it refuses (memory, a vector of another length) is not
-- found by similarity.
local function index(command, partition, ...)
  if INDEXED then redis.pcall(command, root .. 'nearest:' .. partition, ...) end
end

-- Returns 1 when the answer was still there.
local function forget(key)
  local member = call('HGET', root .. 'members', key)
  if not member then return 0 end
  local partition, vector, tags = unpack(cjson.decode(member))
  call('HDEL', root .. 'members', key)
  call('ZREM', root .. 'expires', key)
  call('ZREM', root .. 'worth', key)
  for _, tag in ipairs(tags) do call('SREM', root .. 'tag:' .. tag, key) end
  if vector then
    call('SREM', root .. 'partition:' .. partition, key)
    index('VREM', partition, key)
    changed(partition, key)
  end
  return call('DEL', root .. 'entry:' .. key)
end

local function age() return tonumber(call('GET', root .. 'age') or 0) end

-- Whether one of these tags, or all, was purged at that time or later.
local function purged(tags, since)
  local marks = {{'all'}}
  for _, tag in ipairs(tags) do marks[#marks + 1] = 'tag:' .. tag end
  for _, mark in ipairs(marks) do
    local at = call('ZSCORE', root .. 'purges', mark)
    if at and tonumber(at) >= since then return 1 end
  end
  return 0
end
"""


def text(script: str, indexed: bool) -> str:
    """The script as it is sent; `indexed`: the store keeps an index of the vectors."""
    return f"local INDEXED = {str(indexed).lower()}\n{script}"


# ARGV: the key, its member, when it was created and how long ago that is, when it expires and the milliseconds till
# then, what it is worth, how many answers there may be; then field and value in turn, the vector last.
PUT = (
    COMMON
    + """
local key, member = ARGV[1], ARGV[2]
local partition, vector, tags = unpack(cjson.decode(member))
if purged(tags, now() - ARGV[4] - ON_THE_WAY_S) == 1 then return end
forget(key)
for _, old in ipairs(call('ZRANGEBYSCORE', root .. 'expires', '-inf', ARGV[3], 'LIMIT', 0, SWEPT)) do forget(old) end
for _ = 1, math.min(SWEPT, call('ZCARD', root .. 'expires') - ARGV[8] + 1) do
  local least = call('ZRANGE', root .. 'worth', 0, 0, 'WITHSCORES')
  call('SET', root .. 'age', least[2])
  forget(least[1])
end
call('HSET', root .. 'entry:' .. key, unpack(ARGV, 9))
call('PEXPIRE', root .. 'entry:' .. key, ARGV[6])
call('HSET', root .. 'members', key, member)
call('ZADD', root .. 'expires', ARGV[5], key)
call('ZADD', root .. 'worth', age() + ARGV[7], key)
for _, tag in ipairs(tags) do call('SADD', root .. 'tag:' .. tag, key) end
if vector then
  call('SADD', root .. 'partition:' .. partition, key)
  index('VADD', partition, 'FP32', ARGV[#ARGV], key)
  changed(partition, key)
end
"""
)

# ARGV: the key. `worth` is that of `gateway.state.eviction`.
USED = (
    COMMON
    + """
local saves = call('HGET', root .. 'entry:' .. ARGV[1], 'saves')
if not saves then return end
local uses = call('HINCRBY', root .. 'entry:' .. ARGV[1], 'uses', 1)
call('ZADD', root .. 'worth', 'XX', age() + math.max(1, saves) * (1 + uses), ARGV[1])
"""
)

# ARGV: the key.
REMOVE = COMMON + "return forget(ARGV[1])"

# ARGV: what (`all`, `tag:<tag>`), how many at most. Returns how many were found, and how many of these still there.
PURGE = (
    COMMON
    + """
call('ZREMRANGEBYSCORE', root .. 'purges', '-inf', now() - RUNS_S)
call('ZADD', root .. 'purges', now(), ARGV[1])
local keys
if ARGV[1] == 'all' then keys = call('ZRANGE', root .. 'expires', 0, ARGV[2] - 1)
else keys = call('SRANDMEMBER', root .. ARGV[1], ARGV[2]) end
local removed = 0
for _, key in ipairs(keys) do removed = removed + forget(key) end
return {#keys, removed}
"""
)

# ARGV: tags, and how long ago what is asked about was begun: by the time that it takes on the way it looks younger.
PURGED = COMMON + "return purged(cjson.decode(ARGV[1]), now() - ARGV[2])"

# ARGV: an epoch for a store that has none, then the cursor (epoch and number), how many at most. Returns the cursor
# now, or after what follows: partition, key and vector in turn, no vector of what is gone. Where the log does not reach
# back to the cursor the number is negative: that of now is one less, without its sign.
CHANGES = (
    COMMON
    + """
call('SETNX', root .. 'epoch', ARGV[1])
local run = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local epoch = call('GET', root .. 'epoch') .. '-' .. run
local last, number = tonumber(call('GET', root .. 'number') or 0), tonumber(ARGV[3])
if ARGV[2] ~= epoch or number > last then return {epoch, -1 - last} end
local rows = call('XRANGE', root .. 'log', string.format('%d-0', number + 1), '+', 'COUNT', ARGV[4])
if last > number and (#rows == 0 or rows[1][1] ~= string.format('%d-0', number + 1)) then return {epoch, -1 - last} end
local reply = {epoch, number + #rows}
for _, row in ipairs(rows) do
  local partition, key = unpack(row[2])
  reply[#reply + 1], reply[#reply + 2] = partition, key
  reply[#reply + 1] = call('HGET', root .. 'entry:' .. key, 'vector')
end
return reply
"""
)
