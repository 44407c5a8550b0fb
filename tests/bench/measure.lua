-- Cases side by side: all are started and warmed, then loaded in turn, round after round. A ratio
-- is taken within a round, to the first case of that round.
local process = require "process"
local server = require "server"

local measure = {}

-- Fewer answers than this in a round: something else had the machine. The round is done again.
local ROUND_REQUESTS_MIN = 200

function measure.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  if #sorted % 2 == 1 then return sorted[middle] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

function measure.extremes(list)
  return math.min(table.unpack(list)), math.max(table.unpack(list))
end

-- Starts every case that starts. results[label]: why it failed, or empty lists.
local function start_all(cases, options, results)
  local running = {}
  for _, case in ipairs(cases) do
    local one, why = server.start(case)
    if one and options.same_bytes and running[1] and one.body ~= running[1].body then
      server.stop(one)
      one, why = nil, "answers other bytes: " .. one.body:sub(1, 60)
    end
    if one and not options.brief then
      local warm
      warm, why = server.load(one, 1)
      if not warm then
        server.stop(one)
        one = nil
      end
    end
    results[case.label] = { failed = why, cpu = {}, ratio = {}, rate = {}, p50 = {}, p99 = {},
      errors = 0, held = one and one.held }
    if one then running[#running + 1] = one else process.note("%s: %s", case.label, why) end
    if not one and case == cases[1] then break end -- nothing to compare with
  end
  return running
end

-- One round: a list of results, nil for a disturbed one. Who fails is taken out of the list.
local function play_round(running, options, results)
  local round, disturbed = {}, false
  for i = #running, 1, -1 do
    local one = running[i]
    local result, why = server.measure(one, options.seconds)
    if not result then
      process.note("%s: %s", one.case.label, why)
      results[one.case.label].failed = why
      server.stop(one)
      table.remove(running, i)
      disturbed = true
    elseif result.requests < (options.brief and 1 or ROUND_REQUESTS_MIN) then
      process.note("%s: %d answers in a round, done again", one.case.label, result.requests)
      disturbed = true
    else
      round[one.case.label] = result
    end
  end
  return not disturbed and round or nil
end

local function add(results, label, result, first)
  local all = results[label]
  local n = #all.cpu + 1
  all.cpu[n], all.ratio[n], all.rate[n] = result.cpu, result.cpu / first.cpu, result.rate
  all.p50[n], all.p99[n] = result.p50, result.p99
  all.errors = all.errors + result.errors
end

-- options: rounds, seconds, brief (no warming, no system calls), same_bytes (every server must
-- answer what the first one answers). Returns by label: lists by round of cpu (us a request),
-- ratio, rate, p50, p99 (us); calls (a request), errors, failed: why, held: idle connections.
function measure.side_by_side(cases, options)
  local results = {}
  local running = start_all(cases, options, results)
  local first = cases[1].label
  local count, tries = 0, 0
  while running[1] and count < options.rounds and tries < 3 * options.rounds do
    tries = tries + 1
    local round = play_round(running, options, results)
    if round and round[first] then
      count = count + 1
      for label, result in pairs(round) do add(results, label, result, round[first]) end
    end
    if results[first].failed then break end
  end
  for _, one in ipairs(running) do
    local result = results[one.case.label]
    if not options.brief and options.system_calls then result.calls = server.system_calls(one) end
    server.stop(one)
  end
  for _, case in ipairs(cases) do
    local result = results[case.label] or { failed = "not measured", cpu = {} }
    results[case.label] = result
    if #result.cpu == 0 and not result.failed then result.failed = "no undisturbed round" end
  end
  return results
end

-- Memory of a case at start (Pss and resident, KiB), and what one idle connection that was used
-- once adds to the process, in bytes. nil and why not.
function measure.footprint(case, connections)
  local running, why = server.start(case)
  if not running then return nil, why end
  local pss, resident = process.memory(running.pid, "Pss"), process.memory(running.pid, "Rss")
  local before = process.memory(running.pid, "Private_Dirty")
  local held
  held, why = server.hold(running, connections)
  local grown = process.memory(running.pid, "Private_Dirty") - before
  server.stop(running)
  if not held then return nil, why end
  return pss, resident, grown * 1024 / running.held
end

return measure
