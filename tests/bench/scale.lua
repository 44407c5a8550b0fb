-- `./dev bench --scale`: rows that show what a request costs when something else grows. Flat is
-- good: each group's ratio is to its first row, taken within a round.
local measure = require "measure"
local peers = require "peers"
local process = require "process"
local report = require "report"
local server = require "server"

local server_core, load_core = process.cores()
local ROUNDS, SECONDS = 3, 1
local SPARE_DESCRIPTORS = 300 -- the load, the listeners, the files
local files = process.dir .. "/scale-files"

local function case(group, label, path, settings, more)
  local result = { label = label .. " (" .. group .. ")", title = label, path = path,
    command = function(_, port) return peers.script("scale", port, settings) end }
  for key, value in pairs(more or {}) do result[key] = value end
  return result
end

local function several(count, what)
  return ("%d %s%s"):format(count, what, count > 1 and "s" or "")
end

local function descriptor_limit()
  local text = process.read_file("/proc/self/limits") or ""
  return tonumber(text:match("Max open files%s+(%d+)") or 1024)
end

-- -------------------------------------------------------------------------- what lies beside it --

local function urls()
  local cases = {}
  for _, count in ipairs { 1, 100, 10000 } do
    cases[#cases + 1] = case("URLs", several(count, "URL"), ("/u%d/"):format(count),
      ("--set urls=%d"):format(count))
  end
  return cases
end

local function routes()
  local cases = {}
  for _, count in ipairs { 1, 100, 10000 } do
    cases[#cases + 1] = case("routes", several(count, "route"), ("/r%d/item"):format(count),
      ("--set routes=%d"):format(count))
  end
  return cases
end

local function idle()
  local cases = {}
  for _, count in ipairs { 0, 1000, 20000 } do
    local held = math.min(count, descriptor_limit() - SPARE_DESCRIPTORS)
    cases[#cases + 1] = case("idle", ("%d idle connections%s"):format(held,
      held < count and " (as many as the limit of descriptors allows)" or ""), "/r1/item", "",
      { hold = held })
  end
  return cases
end

local function workers()
  return {
    case("workers", "1 worker", "/r1/item", ""),
    case("workers", "2 workers, on both cores, twice the connections", "/r1/item", "--workers 2",
      { cores = server_core .. "," .. load_core, connections = 2 * server.connections }),
  }
end

local function headers()
  local cases = {}
  for _, count in ipairs { 1, 10, 100 } do
    local script = ("%s/headers%d.lua"):format(process.dir, count)
    local file <close> = assert(io.open(script, "w"))
    -- wrk adds Host by itself
    file:write(("for i = 2, %d do wrk.headers['X-Header-' .. i] = 'value ' .. i end\n")
      :format(count))
    cases[#cases + 1] = case("headers", several(count, "header"),
      "/r1/item", "", { script = script })
  end
  return cases
end

local function report_group(options, cases)
  local results = measure.side_by_side(cases, { rounds = ROUNDS, seconds = SECONDS })
  for _, one in ipairs(cases) do
    local result = results[one.label]
    local low, high
    if result.failed then
      options.failures = options.failures + 1
      report.row { one.title, "-", "-" }
    else
      low, high = measure.extremes(result.ratio)
      report.row { one.title, ("%.2f"):format(measure.median(result.cpu)),
        ("%.2f (%.2f-%.2f)"):format(measure.median(result.ratio), low, high) }
    end
  end
end

-- -------------------------------------------------------------------------------------- bodies --

local KIB <const>, MIB <const>, GIB <const> = 1024, 1048576, 1073741824
local sizes = {
  { "1 B", 1, 2000 }, { "1 KiB", KIB, 2000 }, { "64 KiB", 64 * KIB, 500 }, { "1 MiB", MIB, 100 },
  { "64 MiB", 64 * MIB, 3 }, { "1 GiB", GIB, 1 },
}

-- What is asked of the server, and what curl is told, by direction. %d: bytes, then how often.
local directions = {
  { "answer, a file", "'http://127.0.0.1:%d/file/%d?n=[1-%d]' -o /dev/null" },
  { "answer, streamed", "'http://127.0.0.1:%d/stream?bytes=%d&n=[1-%d]' -o /dev/null" },
  { "request, read in pieces",
    "-H Expect: -T " .. files .. "/%2$d 'http://127.0.0.1:%1$d/count?n=[1-%3$d]' -o /dev/null" },
}

local function fill(template, port, bytes, count)
  local values = { port, bytes, count }
  if not template:find("%%%d%$") then return template:format(port, bytes, count) end
  return (template:gsub("%%(%d)%$d", function(i) return tostring(values[tonumber(i)]) end))
end

-- One row: CPU time a request and a KiB, and the most memory the server had.
local function report_size(running, direction, size)
  local name, bytes, count = table.unpack(size)
  local before = process.cpu_time(running.pid)
  local arguments = fill(direction[2], running.port, bytes, count)
  local text, why = process.run(direction[1] .. ", " .. name, 60,
    ("taskset -c %d curl -sS -m 55 %s"):format(load_core, arguments))
  local cpu = (process.cpu_time(running.pid) - before) / count
  if not text or text ~= "" then
    process.note("%s, %s: %s", direction[1], name, why or text:sub(1, 200))
    report.row { direction[1], name, "-", "-", "-" }
    return false
  end
  local status = process.read_file("/proc/" .. running.pid .. "/status") or ""
  report.row { direction[1], name, ("%.1f"):format(cpu),
    bytes >= KIB and ("%.1f"):format(cpu * 1000 / (bytes / KIB)) or "-",
    status:match("VmHWM:%s+(%d+)") or "-" }
  return true
end

local function report_bodies(options)
  os.execute("mkdir -p " .. files)
  for _, size in ipairs(sizes) do
    local path = ("%s/%d"):format(files, size[2])
    os.execute(("truncate -s %d %s && cat %s >/dev/null"):format(size[2], path, path)) -- in memory
  end
  report.head { "body", "size", "CPU, us a request", "ns a KiB", "most resident so far, KiB" }
  for _, direction in ipairs(directions) do
    local running, why = server.start(case("bodies", direction[1], "/r1/item",
      "--set folder=" .. files))
    if not running then
      process.note("%s: %s", direction[1], why)
      options.failures = options.failures + 1
    else
      for _, size in ipairs(sizes) do
        if not report_size(running, direction, size) then
          options.failures = options.failures + 1
        end
      end
      server.stop(running)
    end
  end
end

return function(options)
  report.begin "scale"
  report.say("CPU time of the server per request when something else grows; rounds: %d of %d s.",
    ROUNDS, SECONDS)
  report.say ""
  report.head { "beside a small request", "CPU, us", "to the first of its group (range)" }
  for _, group in ipairs { urls, routes, idle, workers, headers } do
    report_group(options, group())
  end
  report.say ""
  report_bodies(options)
end
