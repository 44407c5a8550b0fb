-- A server under load. What is to be run is a case:
--   label     for messages: "hello, nginx"
--   command   function(dir, port) that returns the shell command of the server
--   path      of the request; script: of wrk, or nil; connections: 32 without it
--   post      bytes of body, for the first look with curl
--   cores     of the server, as taskset wants them; the first one without it
--   hold      idle connections that lie beside the load
--   prefix    in front of the command
local process = require "process"

local here = arg[0]:match("^(.*)/[^/]*$")
local server_core, load_core = process.cores()
local server = {}

server.connections = 32

-- How long a server may take from its start to its first answer.
local START_S <const> = tonumber(os.getenv("BENCH_START_S") or 30)

-- In so many seconds wrk is ready, however busy the machine.
local WRK_READY_S <const> = 8

local function free_port()
  return tonumber((process.output_of(process.dir .. "/bound -f")))
end

-- Body and status of one request; status "000" when there is no answer in two seconds.
local function ask(case, port)
  local options = case.post and "-d " .. ("x"):rep(case.post) or ""
  local text = process.output_of(("curl -s -m 2 %s -w '\\n%%{http_code}' 'http://127.0.0.1:%d%s'")
    :format(options, port, case.path))
  return text:match("^(.*)\n(%d+)$")
end

-- Opens idle connections to it. Returns true, or nil and why not; running.held: how many.
function server.hold(running, count)
  local said = running.dir .. "/held"
  local pipe = assert(io.popen(("%s/idle %d %d '%s' >%s 2>&1"):format(process.dir, running.port,
    count, running.case.path, said), "w"))
  running.hold = pipe
  process.wait_for(30, function() return (process.read_file(said) or ""):match("\n") end)
  running.held = tonumber((process.read_file(said) or ""):match("^held (%d+)"))
  if not running.held then
    return nil, "idle connections: " .. (process.read_file(said) or "no answer in 30 s")
  end
  return true
end

function server.stop(running)
  if running.hold then running.hold:close() end
  process.stop(running.pid)
end

-- Starts it and sees that it answers. Returns the running server, or nil and why not.
function server.start(case)
  local dir = ("%s/%s"):format(process.dir, (case.label:gsub("[^%w]+", "_")))
  os.execute("mkdir -p " .. dir)
  local running = { case = case, dir = dir, port = free_port() }
  running.pid = process.start(("taskset -c %s %s %s"):format(case.cores or server_core,
    case.prefix or "", case.command(dir, running.port)), dir .. "/log")
  local status = "000"
  process.wait_for(START_S, function()
    running.body, status = ask(case, running.port)
    return status == "200" or not process.is_alive(running.pid) -- others until it has loaded
  end)
  if status == "200" then
    local held, why = true, nil
    if case.hold and case.hold > 0 then held, why = server.hold(running, case.hold) end
    if held then return running end
    server.stop(running)
    return nil, why
  end
  server.stop(running)
  if status ~= "000" then return nil, "answered " .. status end
  return nil, ("gave no answer in %g s: %s"):format(START_S,
    (process.read_file(dir .. "/log") or ""):sub(1, 400))
end

local scale = { us = 1, ms = 1e3, s = 1e6, m = 6e7 }

local function percentile(text, which)
  local value, unit = text:match(which .. "%%%s+([%d.]+)(%a+)")
  return value and tonumber(value) * (scale[unit] or 0)
end

-- What wrk says after some seconds. It knows whole ones only, so it is told to end; it dies without
-- a word of being told so before it was ready, which a busy machine brings about: then once more.
local function run_wrk(running, seconds)
  local case = running.case
  local text, why = process.run("the load", seconds + 15,
    ("timeout --preserve-status -s INT -k 10 %g taskset -c %d wrk --latency -t1 -c%d -d1h %s"
      .. " http://127.0.0.1:%d'%s'"):format(seconds, load_core,
      case.connections or server.connections,
      case.script and "-s " .. case.script or "", running.port, case.path))
  if text == "" and seconds < WRK_READY_S then return run_wrk(running, seconds * 2) end
  return text, why
end

-- Loads it for some seconds. Returns { requests, rate, p50, p99 (us), errors }, or nil and why not.
function server.load(running, seconds)
  local text, why = run_wrk(running, seconds)
  local requests = text and tonumber(text:match("(%d+) requests in"))
  if not requests then return nil, why or "wrk: " .. text:sub(1, 400) end
  local errors = tonumber(text:match("Non%-2xx or 3xx responses: (%d+)")) or 0
  for count in (text:match("Socket errors:([^\n]*)") or ""):gmatch("%d+") do
    errors = errors + tonumber(count)
  end
  return { requests = requests, rate = tonumber(text:match("Requests/sec:%s+([%d.]+)")),
    p50 = percentile(text, "50"), p99 = percentile(text, "99"), errors = errors }
end

-- The same, with the CPU time of the server per request (us) as cpu.
function server.measure(running, seconds)
  local before = process.cpu_time(running.pid)
  local result, why = server.load(running, seconds)
  if not result then return nil, why end
  if result.requests == 0 then
    running.silent = (running.silent or 0) + 1
    if running.silent == 3 then return nil, "answered no request in three rounds" end
  end
  result.cpu = (process.cpu_time(running.pid) - before) / result.requests
  return result
end

-- System calls per request, counted by strace in a run of its own; nil where that is not possible.
function server.system_calls(running)
  local out = running.dir .. "/strace"
  local pids = table.concat(process.family(running.pid), " -p ")
  local tracer = process.start(("timeout -k 2 20 strace -c -f -qq -o %s -p %s"):format(out, pids),
    running.dir .. "/strace.log")
  local attached = process.wait_for(3, function()
    local status = process.read_file("/proc/" .. running.pid .. "/status") or ""
    return status:match("TracerPid:%s+[1-9]") or not process.is_alive(tracer)
  end)
  local result = attached and process.is_alive(tracer) and server.load(running, 1)
  process.stop(tracer, "INT")
  local calls = (process.read_file(out) or ""):match("100%.00%s+%S+%s+%S+%s+(%d+)[%s%d]+total")
  if not (result and calls) or result.requests == 0 then return nil end
  return tonumber(calls) / result.requests
end

-- User-space instructions a request, counted by callgrind while the load runs; nil where not.
function server.instructions(case)
  local out = process.dir .. "/callgrind"
  os.execute("rm -f " .. out .. "*")
  local counted = setmetatable({ prefix = "valgrind --tool=callgrind --instr-atstart=no"
    .. " --callgrind-out-file=" .. out }, { __index = case })
  -- valgrind runs one thread at a time, and lets none run while one waits in a ring
  local options = case.label:find("moonlatch", 1, true) and " --loop epoll" or ""
  function counted.command(...) return case.command(...) .. options end
  local running, why = server.start(counted)
  if not running then return nil, why end
  local function control(option)
    return process.run("callgrind_control", 10, ("callgrind_control %s %s"):format(option,
      running.pid))
  end
  local warm = server.load(running, 1)
  control("-i on")
  local result = warm and server.load(running, 3)
  control("-i off")
  control("-d") -- not all end well under valgrind
  local total = tonumber((process.read_file(out .. ".1") or ""):match("\ntotals: (%d+)") or 0)
  server.stop(running)
  return result and total > 0 and total / result.requests or nil
end

-- Where the scripts of wrk are.
function server.script(name)
  return ("%s/load/%s.lua"):format(here, name)
end

return server
