-- Measures the host beside its lower bound and two peers: each server on the first core, the load
-- on the second. Prints Markdown. Options and method: docs/performance.md.
local here = arg[0]:match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path
local measure = require "measure"
local peers = require "peers"
local process = require "process"
local report = require "report"
local server = require "server"

-- goal: the ratio to the bound that the project has set itself; text: for the README.
local workloads = {
  { name = "hello", path = "/", goal = 1.04, text = "hello, 13 bytes from a handler" },
  { name = "user", path = "/user/42?x=seven", goal = 1.08,
    text = "a path and a query parameter, JSON" },
  { name = "echo", path = "/", script = "echo", post = 1024, goal = 1.09, text = "echo of 1 KiB" },
  { name = "routes", path = "/route/99/item", goal = 1.05, text = "the last of 100 routes" },
  { name = "c1000", path = "/", connections = 1000, goal = 1.05,
    text = "hello on 1,000 connections" },
  { name = "close", path = "/", script = "close", goal = 1.03,
    text = "hello, a connection per request" },
  { name = "pipe16", path = "/", script = "pipe16", goal = 1.5,
    text = "hello, 16 requests in one write" },
  { name = "s16k", path = "/file.txt", goal = 0.9, text = "a file of 16 KiB" },
  { name = "s1m", path = "/file.txt", goal = 0.7, text = "a file of 1 MiB" },
}

local all_servers = { "bound", "moonlatch", "nginx", "lighttpd" }
local readme_titles = { moonlatch = "Moonlatch", nginx = "nginx, Lua module (LuaJIT)",
  lighttpd = "lighttpd, mod_magnet (Lua 5.4)" }

local function case_of(name, workload)
  return {
    label = workload.name .. ", " .. name, path = workload.path, post = workload.post,
    script = workload.script and server.script(workload.script),
    connections = workload.connections,
    command = function(dir, port) return peers[name](dir, workload.name, port) end,
  }
end

-- -------------------------------------------------------------------------------------- tables --

local function ratio_cell(result)
  if result.failed or #result.ratio == 0 then return "-" end
  local low, high = measure.extremes(result.ratio)
  return ("%.2f (%.2f-%.2f)"):format(measure.median(result.ratio), low, high)
    .. (result.errors > 0 and (" %d errors"):format(result.errors) or "")
end

local function detail_cell(result)
  if result.failed or #result.rate == 0 then return "-" end
  return ("%.1f k/s, %.0f / %.0f us, %s"):format(measure.median(result.rate) / 1000,
    measure.median(result.p50), measure.median(result.p99),
    result.calls and ("%.2f"):format(result.calls) or "-")
end

-- Measures one workload. Returns results by server name.
local function play(workload, options)
  process.note("%s: %s; %d rounds of %g s", workload.name, table.concat(options.servers, ", "),
    options.rounds, options.seconds)
  local cases, by_name = {}, {}
  for i, name in ipairs(options.servers) do cases[i] = case_of(name, workload) end
  local results = measure.side_by_side(cases, options)
  for i, name in ipairs(options.servers) do
    by_name[name] = results[cases[i].label]
    if by_name[name].failed then options.failures = options.failures + 1 end
  end
  return by_name
end

local function machine(options)
  local cpu = (process.read_file("/proc/cpuinfo") or ""):match("model name%s*:%s*([^\n]*)") or "?"
  local text = "%s, %s cores, Linux %s, loopback; rounds: %d of %g s, %d connections unless said."
  return text:format(cpu, process.output_of("nproc"):match("%d+"),
    process.output_of("uname -r"):match("%S+"), options.rounds, options.seconds, server.connections)
end

local function report_readme(options, results)
  local lines = { machine(options), "", "| workload |", "|---|" }
  for _, name in ipairs(options.servers) do
    if name ~= "bound" then
      lines[3] = lines[3] .. " " .. (readme_titles[name] or name) .. " |"
      lines[4] = lines[4] .. "---|"
    end
  end
  for _, workload in ipairs(options.workloads) do
    local line = "| " .. workload.text .. " |"
    for _, name in ipairs(options.servers) do
      if name ~= "bound" then
        line = line .. " " .. ratio_cell(results[workload.name][name]) .. " |"
      end
    end
    lines[#lines + 1] = line
  end
  report.keep("readme", lines)
end

local function report_speed(options)
  local results = {}
  report.begin "speed"
  report.say("%s CPU time of the server per request, as a ratio to the bound of the same round: the"
    .. " median, and the range of the rounds.", machine(options))
  report.say ""
  local cells = { "workload", "bound, us" }
  for _, name in ipairs(options.servers) do
    if name ~= "bound" then cells[#cells + 1] = name end
  end
  cells[#cells + 1] = "goal"
  report.head(cells)
  for _, workload in ipairs(options.workloads) do
    local result = play(workload, options)
    results[workload.name] = result
    cells = { workload.name, #result.bound.cpu > 0 and ("%.2f"):format(measure.median(
      result.bound.cpu)) or "-" }
    for _, name in ipairs(options.servers) do
      if name ~= "bound" then cells[#cells + 1] = ratio_cell(result[name]) end
    end
    cells[#cells + 1] = ("%.2f"):format(workload.goal)
    report.row(cells)
  end
  report.begin "detail"
  report.say "Requests a second, latency (50 % / 99 %), system calls a request:"
  report.say ""
  report.head { "workload", table.unpack(options.servers) }
  for _, workload in ipairs(options.workloads) do
    cells = { workload.name }
    for _, name in ipairs(options.servers) do
      cells[#cells + 1] = detail_cell(results[workload.name][name])
    end
    report.row(cells)
  end
  report_readme(options, results)
end

local function report_cost(options)
  report.begin "cost"
  report.head { "server", "memory at start, KiB (Pss)", "resident, KiB", "idle connection, bytes",
    "instructions a request (hello)" }
  for _, name in ipairs(options.servers) do
    local case = case_of(name, workloads[1])
    local pss, resident, each = measure.footprint(case, options.idle)
    if not pss then process.note("memory, %s: %s", name, resident) end
    local count = options.instructions and server.instructions(case)
    report.row { name, pss and ("%d"):format(pss) or "-", pss and ("%d"):format(resident) or "-",
      pss and ("%.0f"):format(each) or "-", count and ("%.0f"):format(count) or "-" }
  end
end

-- ------------------------------------------------------------------------------------- options --

local function names_of(list)
  local names = {}
  for i, item in ipairs(list) do names[i] = item.name end
  return names
end

local function pick(option, text, list, names)
  local chosen = {}
  for word in text:gmatch("[^,]+") do
    local found
    for i, name in ipairs(names) do
      if name == word then found = list[i] end
    end
    chosen[#chosen + 1] = found or error(("%s: there is no %s; one of %s"):format(option, word,
      table.concat(names, ", ")), 0)
  end
  return chosen
end

local function number(option, text)
  local value = tonumber(text or "")
  if not value or value <= 0 then error(option .. " wants a number above 0", 0) end
  return value
end

-- Those that take no value.
local flags = {
  ["--quick"] = function(options)
    options.quick, options.rounds, options.seconds = true, 3, 1
    options.workloads = { workloads[1], workloads[8] }
    options.servers = { "bound", "moonlatch", "nginx" }
  end,
  ["--brief"] = function(options) options.brief, options.system_calls = true, false end,
  ["--instructions"] = function(options) options.instructions = true end,
  ["--scale"] = function(options) options.scale = true end,
  ["--all"] = function(options)
    options.all, options.scale, options.instructions, options.rounds = true, true, true, 3
  end,
}

local values = {
  ["--rounds"] = function(options, value)
    options.rounds = math.tointeger(number("--rounds", value)) or 1
  end,
  ["--seconds"] = function(options, value) options.seconds = number("--seconds", value) end,
  ["--only"] = function(options, value)
    options.workloads = pick("--only", value, workloads, names_of(workloads))
  end,
  ["--servers"] = function(options, value)
    local known = { "moonlatch-epoll", "moonlatch-before", table.unpack(all_servers) }
    options.servers = pick("--servers", value, known, known)
  end,
  ["--write"] = function(options, value)
    options.write = {}
    for path in value:gmatch("[^,]+") do table.insert(options.write, path) end
  end,
}

local function parse(arguments)
  local options = { rounds = 5, seconds = 2, workloads = workloads, servers = all_servers,
    idle = 1000, same_bytes = true, system_calls = true, failures = 0 }
  local i = 1
  while arguments[i] do
    local option, value = arguments[i], arguments[i + 1]
    if option == "--long" then
      options.long = tonumber(value or "") and number(option, value) or 1e7
      i = i + (tonumber(value or "") and 1 or 0)
    elseif flags[option] then flags[option](options)
    elseif values[option] and value then
      values[option](options, value)
      i = i + 1
    else error(("%s: no such option, or its value is missing"):format(option), 0)
    end
    i = i + 1
  end
  return options
end

-- The bound comes first; peers that are not installed are named and left out.
local function settle_servers(options)
  local chosen = { "bound" }
  for _, name in ipairs(options.servers) do
    local program = peers.programs[name]
    if program and not process.is_installed(program) then
      process.note("%s: skipped, as %s is not installed", name, program)
    elseif name ~= "bound" then
      chosen[#chosen + 1] = name
    end
  end
  options.servers = chosen
end

local function main()
  local options = parse(arg)
  settle_servers(options)
  local busy = tonumber((process.read_file("/proc/loadavg") or "0"):match("%S+"))
  if busy > 0.5 then
    process.note("the machine is busy (load %.2f): expect wide ranges", busy)
  end
  if options.long then return require "long" (options.long) end
  if not options.scale or options.all then
    report_speed(options)
    if not (options.quick or options.brief) or options.instructions then report_cost(options) end
  end
  if options.scale then require "scale" (options) end
  for _, path in ipairs(options.write or {}) do
    process.note("%s: %d places written", path, report.write(path))
  end
  return options.failures == 0
end

local ok, result = pcall(main)
if not ok then process.note("%s", result) end
os.exit(ok and result and 0 or 1, true)
