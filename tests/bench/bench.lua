-- Measures the host beside its lower bound and two peers: each server on core 0, the load on
-- core 1, rounds interleaved, medians of the ratios within a round. Prints Markdown.
local here = arg[0]:match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path
local peers = require "peers"

local work_dir = assert(os.getenv("BENCH_DIR"), "start it with ./dev bench")

local workloads = {
  { name = "hello", path = "/" },
  { name = "user", path = "/user/42?x=seven" },
  { name = "echo", path = "/", load = "echo" },
  { name = "routes", path = "/route/99/item" },
  { name = "c1000", path = "/", connections = 1000 },
  { name = "close", path = "/", load = "close" },
  { name = "pipe16", path = "/", load = "pipe16" },
}

-- ---------------------------------------------------------------------------------- processes --

local function note(format, ...)
  io.stderr:write("bench: ", format:format(...), "\n")
end

-- The output of a shell command, and whether it ended well.
local function output_of(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read("a")
  return text, (pipe:close())
end

local function read_file(path)
  local file <close> = io.open(path, "r")
  return file and file:read("a")
end

-- Starts a command in the background, written down for the clean-up. Returns its process id.
local function start_process(command, log)
  local pid = output_of(("%s >%s 2>&1 </dev/null & echo $!"):format(command, log)):match("%d+")
  local list <close> = assert(io.open(work_dir .. "/pids", "a"))
  list:write(pid, "\n")
  return pid
end

local function stop_process(pid)
  os.execute(("kill %s 2>/dev/null; i=0; while kill -0 %s 2>/dev/null && [ $i -lt 100 ];"
    .. " do sleep 0.05; i=$((i + 1)); done"):format(pid, pid))
end

-- The process and what it started (a master has workers).
local function family(pid)
  local all = { pid }
  local children = read_file(("/proc/%s/task/%s/children"):format(pid, pid)) or ""
  for child in children:gmatch("%d+") do all[#all + 1] = child end
  return all
end

-- CPU time used so far, in microseconds: what the scheduler counted, per thread, in nanoseconds.
local function cpu_time(pid)
  local total = 0
  for _, member in ipairs(family(pid)) do
    for line in output_of(("cat /proc/%s/task/*/schedstat"):format(member)):gmatch("[^\n]+") do
      total = total + tonumber(line:match("^%d+")) / 1000
    end
  end
  return total
end

-- Memory in KiB: proportional share of what is resident; `key` of smaps_rollup.
local function memory(pid, key)
  local total = 0
  for _, member in ipairs(family(pid)) do
    local rollup = read_file("/proc/" .. member .. "/smaps_rollup") or ""
    total = total + (tonumber(rollup:match(key .. ":%s+(%d+)")) or 0)
  end
  return total
end

-- ------------------------------------------------------------------------------------ servers --

local function free_port()
  return tonumber((output_of("build/bench/bound -f")))
end

local function curl(server, workload)
  local options = workload.load == "echo" and "-d " .. ("x"):rep(1024) or ""
  return output_of(("curl -s -m 2 %s -w '\\n%%{http_code}' 'http://127.0.0.1:%d%s'")
    :format(options, server.port, workload.path))
end

-- Starts a server for a workload and sees that it answers. Returns it, or nil and why not.
local function start_server(name, workload, prefix, suffix)
  local dir = ("%s/%s-%s"):format(work_dir, name, workload.name)
  os.execute("mkdir -p " .. dir)
  local server = { name = name, port = free_port(), log = dir .. "/log" }
  local command = peers[name](dir, workload.name, server.port)
  server.pid = start_process(("taskset -c 0 %s %s %s"):format(prefix or "", command, suffix or ""),
    server.log)
  for _ = 1, 200 do
    local body, code = curl(server, workload):match("^(.*)\n(%d+)$")
    if code ~= "000" then
      server.body = body
      if code == "200" then return server end
      stop_process(server.pid)
      return nil, "answered " .. code
    end
    if not os.execute("kill -0 " .. server.pid .. " 2>/dev/null") then break end
    os.execute("sleep 0.05")
  end
  stop_process(server.pid)
  return nil, "did not start: " .. (read_file(server.log) or ""):sub(1, 400)
end

-- --------------------------------------------------------------------------------- measurement --

-- Loads the server for some seconds. Returns requests, requests a second, p99 in us, errors.
local function load_server(server, workload, seconds)
  local script = workload.load and ("-s %s/load/%s.lua"):format(here, workload.load) or ""
  local text = output_of(("taskset -c 1 wrk --latency -t1 -c%d -d%gs %s"
    .. " 'http://127.0.0.1:%d%s' 2>&1"):format(workload.connections or 32, seconds, script,
    server.port, workload.path))
  local requests = tonumber(text:match("(%d+) requests in"))
  if not requests then error("wrk: " .. text) end
  local errors = tonumber(text:match("Non%-2xx or 3xx responses: (%d+)")) or 0
  for count in (text:match("Socket errors:([^\n]*)") or ""):gmatch("%d+") do
    errors = errors + tonumber(count)
  end
  local value, unit = text:match("99%%%s+([%d.]+)(%a+)")
  local scale = { us = 1, ms = 1e3, s = 1e6, m = 6e7 }
  return requests, tonumber(text:match("Requests/sec:%s+([%d.]+)")),
    tonumber(value) * (scale[unit] or 0), errors
end

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  if #sorted % 2 == 1 then return sorted[middle] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

local function extremes(list)
  return math.min(table.unpack(list)), math.max(table.unpack(list))
end

-- Fewer answers than this in a round: something else had the machine. The round is done again.
local ROUND_REQUESTS_MIN = 1000

-- One round over all servers: a list of { cpu, rate, p99, errors }, or nil for a disturbed one.
local function measure_round(servers, workload, seconds)
  local round = {}
  for i, server in ipairs(servers) do
    local before = cpu_time(server.pid)
    local requests, rate, p99, errors = load_server(server, workload, seconds)
    if requests < ROUND_REQUESTS_MIN then
      note("%s, %s: %d answers in a round, done again", workload.name, server.name, requests)
      return nil
    end
    round[i] = { cpu = (cpu_time(server.pid) - before) / requests, rate = rate, p99 = p99,
      errors = errors }
  end
  return round
end

-- Runs one workload over the servers. Returns, by server name: lists by round of cpu (us a
-- request), ratio (to the bound of the same round), rate, p99; errors over all rounds.
local function measure(workload, names, options)
  local servers, results, failures = {}, {}, {}
  for _, name in ipairs(names) do
    local server, why = start_server(name, workload)
    if server and servers[1] and server.body ~= servers[1].body then
      stop_process(server.pid)
      server, why = nil, "answers other bytes: " .. server.body:sub(1, 60)
    end
    if server then
      servers[#servers + 1] = server
      results[name] = { cpu = {}, ratio = {}, rate = {}, p99 = {}, errors = 0 }
      load_server(server, workload, 1)
    else
      failures[name] = why
      note("%s, %s: %s", workload.name, name, why)
    end
  end
  local count, tries = 0, 0
  while count < options.rounds and tries < 3 * options.rounds do
    tries = tries + 1
    local round = measure_round(servers, workload, options.seconds)
    if round then
      count = count + 1
      for i, server in ipairs(servers) do
        local result = results[server.name]
        result.cpu[count], result.ratio[count] = round[i].cpu, round[i].cpu / round[1].cpu
        result.rate[count], result.p99[count] = round[i].rate, round[i].p99
        result.errors = result.errors + round[i].errors
      end
    end
  end
  for _, server in ipairs(servers) do stop_process(server.pid) end
  return results, failures
end

-- User-space instructions a request, counted while the load runs.
local function instructions(name, workload)
  local out = ("%s/callgrind.%s"):format(work_dir, name)
  local prefix = "valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=" .. out
    .. (name == "nginx" and " --trace-children=no" or "")
  local server, why = start_server(name, workload, prefix)
  if not server then
    note("instructions, %s: %s", name, why)
    return nil
  end
  load_server(server, workload, 1)
  output_of(("callgrind_control -i on %s 2>&1"):format(server.pid))
  local requests = load_server(server, workload, 3)
  output_of(("callgrind_control -i off %s 2>&1"):format(server.pid))
  output_of(("callgrind_control -d %s 2>&1"):format(server.pid)) -- not all end well under valgrind
  local total = (read_file(out .. ".1") or ""):match("\ntotals: (%d+)")
  stop_process(server.pid)
  return total and total ~= "0" and tonumber(total) / requests or nil
end

-- Memory at start in KiB, and what one idle connection that was used once adds, in bytes.
local function footprint(name, workload, connections)
  local server, why = start_server(name, workload)
  if not server then
    note("memory, %s: %s", name, why)
    return nil
  end
  local at_start, before = memory(server.pid, "Pss"), memory(server.pid, "Private_Dirty")
  local hold = assert(io.popen(("build/bench/idle %d %d / >%s/held"):format(server.port,
    connections, work_dir), "w"))
  for _ = 1, 100 do
    if (read_file(work_dir .. "/held") or ""):match("held") then break end
    os.execute("sleep 0.1")
  end
  local grown = (memory(server.pid, "Private_Dirty") - before) * 1024 / connections
  hold:close()
  os.remove(work_dir .. "/held")
  stop_process(server.pid)
  return at_start, grown
end

-- -------------------------------------------------------------------------------------- report --

local function row(cells)
  print("| " .. table.concat(cells, " | ") .. " |")
end

local function head(cells)
  row(cells)
  print("|" .. ("---|"):rep(#cells))
end

local function report_workload(workload, names, results)
  local bound = results.bound
  if not bound or #bound.cpu == 0 then
    note("%s: no undisturbed round", workload.name)
    return
  end
  local cells = { workload.name, ("%.2f"):format(median(bound.cpu)) }
  for _, name in ipairs(names) do
    local result = results[name]
    if name == "bound" then goto continue end
    if result then
      local low, high = extremes(result.ratio)
      cells[#cells + 1] = ("**%.2f** (%.2f-%.2f)%s"):format(median(result.ratio), low, high,
        result.errors > 0 and (" %d errors"):format(result.errors) or "")
    else
      cells[#cells + 1] = "-"
    end
    ::continue::
  end
  for _, name in ipairs(names) do
    local result = results[name]
    cells[#cells + 1] = result and ("%.0f / %.0f"):format(median(result.rate) / 1000,
      median(result.p99)) or "-"
  end
  row(cells)
end

local function report_speed(options)
  local cells = { "workload", "bound, us CPU" }
  for _, name in ipairs(options.servers) do
    if name ~= "bound" then cells[#cells + 1] = name .. ", ratio (range)" end
  end
  for _, name in ipairs(options.servers) do cells[#cells + 1] = name .. ", k/s / p99 us" end
  head(cells)
  for _, workload in ipairs(options.workloads) do
    note("%s: %d servers, %d rounds of %g s", workload.name, #options.servers, options.rounds,
      options.seconds)
    report_workload(workload, options.servers, (measure(workload, options.servers, options)))
    io.stdout:flush()
  end
end

local function report_cost(options)
  print()
  head { "server", "memory at start, KiB", "idle connection, bytes",
    "instructions a request (hello)" }
  for _, name in ipairs(options.servers) do
    local at_start, each = footprint(name, workloads[1], options.idle)
    local count = options.instructions and instructions(name, workloads[1])
    row { name, at_start and ("%d"):format(at_start) or "-",
      each and ("%.0f"):format(each) or "-", count and ("%.0f"):format(count) or "-" }
    io.stdout:flush()
  end
end

-- ------------------------------------------------------------------------------------- options --

local function pick(list, text, name_of)
  local chosen = {}
  for word in text:gmatch("[^,]+") do
    local found
    for _, item in ipairs(list) do
      if name_of(item) == word then found = item end
    end
    chosen[#chosen + 1] = found or error("unknown: " .. word, 0)
  end
  return chosen
end

local function parse(arguments)
  local all = { "bound", "moonlatch", "nginx", "lighttpd" }
  local options = { rounds = 5, seconds = 2, workloads = workloads, servers = all, idle = 1000 }
  local function same(name) return name end
  local i = 1
  while arguments[i] do
    local option, value = arguments[i], arguments[i + 1]
    if option == "--quick" then
      options.quick, options.rounds = true, 3
      options.workloads, options.servers = { workloads[1] }, { "bound", "moonlatch", "nginx" }
      i = i - 1
    elseif option == "--instructions" then
      options.instructions = true
      i = i - 1
    elseif option == "--rounds" then options.rounds = math.tointeger(tonumber(value))
    elseif option == "--seconds" then options.seconds = tonumber(value)
    elseif option == "--only" then
      options.workloads = pick(workloads, value, function(workload) return workload.name end)
    elseif option == "--servers" then
      options.servers = pick({ "moonlatch-uring", table.unpack(all) }, value, same)
    else error("unknown option " .. option, 0)
    end
    i = i + 2
  end
  if options.servers[1] ~= "bound" then table.insert(options.servers, 1, "bound") end
  return options
end

local function main()
  local options = parse(arg)
  local cpu = (read_file("/proc/cpuinfo") or ""):match("model name%s*:%s*([^\n]*)") or "?"
  local busy = tonumber((read_file("/proc/loadavg") or "0"):match("%S+"))
  if busy > 0.5 then note("the machine is busy (load %.2f): expect wide ranges", busy) end
  print(("%s, %s cores, Linux %s; %d rounds of %g s, 32 connections unless said; CPU time of the"
    .. " server per request, as a ratio to the bound of the same round."):format(cpu,
    output_of("nproc"):match("%d+"), output_of("uname -r"):match("%S+"), options.rounds,
    options.seconds))
  print()
  report_speed(options)
  if not options.quick or options.instructions then report_cost(options) end
end

main()
