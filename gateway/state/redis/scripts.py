"""The Lua that Redis runs: each script is one atomic decision. All keys of a call share their tenant's hash tag.

Lua's numbers are doubles, exact up to MAX_AMOUNT. Amounts travel as text; cjson would round them to 14 digits.
A hold is a hash: `state` (open or settled), `owner`, `bounds` (for the caller), `charges` (counter key, unit, amount
each), and `spent:<unit>` as last noted. A counter is a hash of `used` and `held`.
"""

# KEYS: the hold, the tenant's open holds, its counters. ARGV: request id, owner, bounds, charges, whether the limits on
# a single request allow it, then per counter the amount asked (empty where no limit binds), the tightest limit, seconds
# to live.
# Returns 1 or 0 (refused), then used and held of each counter.
HOLD = """
local reply, fits = {1}, ARGV[5] == '1'
local function arg(i, n) return ARGV[5 + (i - 3) * 3 + n] end
for i = 3, #KEYS do
  local now = redis.call('HMGET', KEYS[i], 'used', 'held')
  local used, held = tonumber(now[1] or 0), tonumber(now[2] or 0)
  local asked = tonumber(arg(i, 1))
  if asked and used + held + asked > tonumber(arg(i, 2)) then fits = false end
  reply[#reply + 1] = used
  reply[#reply + 1] = held
end
if redis.call('EXISTS', KEYS[1]) == 1 then return reply end
if not fits then
  reply[1] = 0
  return reply
end
for i = 3, #KEYS do
  local asked = arg(i, 1) == '' and '0' or arg(i, 1)
  reply[(i - 2) * 2 + 1] = redis.call('HINCRBY', KEYS[i], 'held', asked)
  redis.call('EXPIRE', KEYS[i], arg(i, 3))
end
redis.call('HSET', KEYS[1], 'state', 'open', 'owner', ARGV[2], 'bounds', ARGV[3], 'charges', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[1])
return reply
"""

# KEYS: the hold. ARGV: unit and amount in turn.
CHECKPOINT = """
if redis.call('HGET', KEYS[1], 'state') ~= 'open' then return end
for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], 'spent:' .. ARGV[i], ARGV[i + 1]) end
"""

# KEYS: the hold, the tenant's open holds. ARGV: request id, seconds to keep the settled hold, then unit and amount in
# turn; none of these books the last checkpoint. Returns nothing, or the bounds, then used and held of each counter.
# A hold that never came is marked as settled too: if it is still on its way, it then sets nothing aside.
# The counters' keys are read from the hold; they lie on the same node by their hash tag.
SETTLE = """
local open = redis.call('HGET', KEYS[1], 'state') == 'open'
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'state', 'settled')
redis.call('EXPIRE', KEYS[1], ARGV[2])
if not open then return {} end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], 'spent:' .. ARGV[i], ARGV[i + 1]) end
local reply = {redis.call('HGET', KEYS[1], 'bounds')}
for _, charge in ipairs(cjson.decode(redis.call('HGET', KEYS[1], 'charges'))) do
  local counter, unit, held = charge[1], charge[2], tonumber(charge[3])
  local spent = tonumber(redis.call('HGET', KEYS[1], 'spent:' .. unit) or 0)
  local used = math.min(math.max(spent, 0), held)
  if redis.call('EXISTS', counter) == 1 then
    redis.call('HINCRBY', counter, 'held', string.format('%.0f', 0 - held))
    redis.call('HINCRBY', counter, 'used', string.format('%.0f', used))
  end
  local now = redis.call('HMGET', counter, 'used', 'held')
  reply[#reply + 1] = tonumber(now[1] or 0)
  reply[#reply + 1] = tonumber(now[2] or 0)
end
return reply
"""

# KEYS: the row. ARGV: field and value in turn. Written once: a second row changes nothing.
WRITE = """
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], unpack(ARGV)) end
"""
