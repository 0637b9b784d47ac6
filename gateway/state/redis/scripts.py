"""The Lua that Redis runs: each script is one atomic decision. All keys of a call share one hash tag.

A meter (`count:...`) is a hash: `latest`, the start of its newest window; `h:<start>` and `l:<start>`, what requests
and leases hold in that window; `u:<start>:<node>`, what that machine has used in it, as its own file says. The last
only ever grow and are set to the larger value (a G-Counter, Shapiro et al. 2011), so that repeated and late calls are
harmless. A hold (`hold:...`) is a hash with `state`: `open`, `settled`, or `presumed` (settled in place of a machine
that seems dead: its return undoes that). Its end takes off what it set aside, in the same step, and leaves a mark.

Nothing is admitted unless `epoch` and `joined` say that the counters are whole on this very server (`rebuild.py`). A
script that has written something is not refused the rest for want of memory: none is ever half done.

Lua's numbers are doubles, exact up to MAX_AMOUNT. Amounts travel as text; cjson would round them to 14 digits.
"""

MARK_S = 3_600  # a settled hold's mark stays: longer than any call is on its way, and than a rebuild reads

COMMON = """
local function run_id() return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') end

-- The start of a meter's window for what comes at `start`: never before the newest. Then what counts in it: used, held,
-- leased, and the newest start that is not 0 (or -1); then the fields that count no more. `reach`: how much older what
-- counts may be (a sliding minute). Leases bind, but do not show: whoever needs them gets them back.
local function standing(meter, start, reach)
  start = math.max(tonumber(start), tonumber(redis.call('HGET', meter, 'latest') or 0))
  local sums, newest, past, fields = {u = 0, h = 0, l = 0}, -1, {}, redis.call('HGETALL', meter)
  for i = 1, #fields, 2 do
    local kind, at = string.match(fields[i], '^(%a):(%d+)')
    if kind then
      at = tonumber(at)
      local amount = tonumber(fields[i + 1])
      if at < start - reach then
        past[#past + 1] = fields[i]
      elseif amount > 0 then
        sums[kind] = sums[kind] + amount
        if kind ~= 'l' and at > newest then newest = at end
      end
    end
  end
  return start, sums.u, sums.h, sums.l, newest, past
end

-- What is told of each meter from KEYS[first] on, whose start and reach are ARGV[n] and the next, and so on.
local function standings(reply, first, n)
  for i = first, #KEYS do
    local start, used, held, _, last = standing(KEYS[i], ARGV[n], tonumber(ARGV[n + 1]))
    for _, number in ipairs({start, used, held, last}) do reply[#reply + 1] = number end
    n = n + 2
  end
  return reply
end

local function keep(meter, seconds)
  if redis.call('TTL', meter) < tonumber(seconds) then redis.call('EXPIRE', meter, seconds) end
end

local function newest(meter, start)
  if tonumber(start) > tonumber(redis.call('HGET', meter, 'latest') or 0) then
    redis.call('HSET', meter, 'latest', start)
  end
end

-- Takes off what a hold set aside. What has slid out of its meter is gone already.
local function release(hold)
  local charges = redis.call('HGET', hold, 'charges')
  for _, charge in ipairs(cjson.decode(charges or '[]')) do
    local meter, field, amount = charge[1], charge[2], charge[4]
    if redis.call('HEXISTS', meter, field) == 1 and redis.call('HINCRBY', meter, field, '-' .. amount) == 0 then
      redis.call('HDEL', meter, field)
    end
  end
end

local function mark(hold, state, seconds)
  redis.call('DEL', hold)
  redis.call('HSET', hold, 'state', state)
  redis.call('EXPIRE', hold, seconds)
end

local function merge(meter, field, total)
  if tonumber(total) > tonumber(redis.call('HGET', meter, field) or 0) then redis.call('HSET', meter, field, total) end
end
"""

# KEYS: the hold, the open holds (or leases), epoch, joined, meters. ARGV: request id, process, mode (ask, lease,
# force), whether the limits on a single request allow it, how many fields, the hold's fields and values; then per meter
# start, reach, seconds ahead of start at which a lease counts, amount asked (empty: no limit binds), tightest limit,
# seconds to live, unit.
# Returns {what, the starts it counts from, then per meter used, held, newest}. `what`: held, settled (before), refused,
# leased (refused, and would fit if no lease were held), lost (the counters are not whole, or this process not joined).
# `force` judges nothing: what a machine's file says is held, is held.
HOLD = (
    COMMON
    + """
local mode, run = ARGV[3], run_id()
local force, lease = mode == 'force', mode == 'lease'
if not force and (redis.call('GET', KEYS[3]) ~= run or redis.call('HGET', KEYS[4], ARGV[2]) ~= run) then
  return {'lost', ''}
end
local fits, alone, starts, past, leases, reply = ARGV[4] == '1', ARGV[4] == '1', {}, {}, {}, {}
local first = 5 + tonumber(ARGV[5])
local function arg(i, n) return ARGV[first + (i - 5) * 7 + n] end
for i = 5, #KEYS do
  local asked, limit = tonumber(arg(i, 4)), tonumber(arg(i, 5))
  local start, used, held, leased, last, gone = standing(KEYS[i], arg(i, 1), tonumber(arg(i, 2)))
  starts[#starts + 1] = string.format('%.0f', (force and arg(i, 1) or start) + arg(i, 3))
  past[i] = gone
  if asked and used + held + leased + asked > limit then fits = false end
  if asked and used + held + asked > limit then alone = false end
  for _, number in ipairs({start, used, held, last}) do reply[#reply + 1] = number end
  leases[i - 4] = leased
end
local known = redis.call('HMGET', KEYS[1], 'state', 'starts')
if known[1] == 'settled' or (known[1] == 'presumed' and not force) then return {'settled', '', unpack(reply)} end
if known[1] == 'open' then return {'held', known[2], unpack(reply)} end
if not fits and not force then
  if alone then  -- the leases are what refuses: they show
    for i = 1, #leases do reply[i * 4 - 1] = reply[i * 4 - 1] + leases[i] end
  end
  return {alone and 'leased' or 'refused', '', unpack(reply)}
end
local charges = {}
for i = 5, #KEYS do
  local asked, field = arg(i, 4), (lease and 'l:' or 'h:') .. starts[i - 4]
  if not lease and past[i][1] then redis.call('HDEL', KEYS[i], unpack(past[i])) end
  if asked ~= '' and asked ~= '0' then
    redis.call('HINCRBY', KEYS[i], field, asked)
    charges[#charges + 1] = {KEYS[i], field, arg(i, 7), asked}
    local n = (i - 5) * 4
    reply[n + 3], reply[n + 4] = reply[n + 3] + asked, math.max(reply[n + 4], tonumber(starts[i - 4]))
  end
  if not lease and asked ~= '' then newest(KEYS[i], starts[i - 4]) end  -- what is not asked for begins nothing
  keep(KEYS[i], arg(i, 6))
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', 'open', 'starts', table.concat(starts, ','), 'charges', cjson.encode(charges),
  unpack(ARGV, 6, first))
redis.call('SADD', KEYS[2], ARGV[1])
return {'held', table.concat(starts, ','), unpack(reply)}
"""
)

# KEYS: meters. ARGV: node, then per meter start, used, seconds to live. What a machine's file says, told again.
TELL = (
    COMMON
    + """
for i = 1, #KEYS do
  local start, total, seconds = unpack(ARGV, i * 3 - 1, i * 3 + 1)
  merge(KEYS[i], 'u:' .. start .. ':' .. ARGV[1], total)
  newest(KEYS[i], start)
  keep(KEYS[i], seconds)
end
"""
)

# KEYS: the hold. ARGV: field and value in turn.
CHECKPOINT = """
if redis.call('HGET', KEYS[1], 'state') == 'open' then redis.call('HSET', KEYS[1], unpack(ARGV)) end
"""

# KEYS: the hold, the open holds (or leases), the meters it counted on, the meters asked about. ARGV: request id, node,
# seconds to keep the mark, how many meters it counted on; per such start, what the node's file says was used, seconds
# to live; then per meter asked start and reach. Returns per meter asked start, used, held, newest.
# A hold that never came is marked too: if it is still on its way, it then sets nothing aside.
SETTLE = (
    COMMON
    + """
redis.call('SREM', KEYS[2], ARGV[1])
release(KEYS[1])
mark(KEYS[1], 'settled', ARGV[3])
local counted = tonumber(ARGV[4])
for i = 1, counted do
  local start, total, seconds = unpack(ARGV, 2 + i * 3, 4 + i * 3)
  merge(KEYS[2 + i], 'u:' .. start .. ':' .. ARGV[2], total)
  keep(KEYS[2 + i], seconds)
end
return standings({}, 3 + counted, 5 + counted * 3)
"""
)

# KEYS: the hold, the open holds (or leases), joined. ARGV: request id, node, its process, seconds to keep the mark.
# Settles at the last checkpoint, in place of a node that seems dead; should the process live, it has to join again.
PRESUME = (
    COMMON
    + """
if redis.call('HGET', KEYS[1], 'state') ~= 'open' then return end
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[3])
for _, charge in ipairs(cjson.decode(redis.call('HGET', KEYS[1], 'charges'))) do
  local meter, start, held = charge[1], string.sub(charge[2], 3), tonumber(charge[4])
  local spent = tonumber(redis.call('HGET', KEYS[1], 'spent:' .. charge[3]) or 0)
  local used = math.min(math.max(spent, 0), held)
  if used > 0 and redis.call('HEXISTS', meter, charge[2]) == 1 then
    redis.call('HINCRBY', meter, 'u:' .. start .. ':' .. ARGV[2], string.format('%.0f', used))
  end
end
release(KEYS[1])
mark(KEYS[1], 'presumed', ARGV[4])
"""
)

# KEYS: epoch, joined, meters. ARGV: process, then per meter start and reach. Returns nothing when the counters are not
# whole, else per meter start, used, held, newest.
LOOK = (
    COMMON
    + """
local run = run_id()
if redis.call('GET', KEYS[1]) ~= run or redis.call('HGET', KEYS[2], ARGV[1]) ~= run then return {0} end
return standings({1}, 3, 2)
"""
)
