-- `./dev bench --long [N]`: N requests of every kind to one server, and what it holds after a
-- tenth, a half and all of them: nothing grows.
local peers = require "peers"
local process = require "process"
local report = require "report"
local server = require "server"

local SLICE_S = 5
local EMPTY_SLICES_MAX = 3

-- What the server says is open: how many lines of `ctl tree`, requests not among them.
local function open_objects(running)
  local text = process.output_of(("timeout -k 1 10 %s ctl --control %s/control tree 2>&1"):format(
    os.getenv("MOONLATCH") or "build/release/moonlatch", running.dir))
  local count = 0
  for _ in text:gmatch("[^\n]+") do count = count + 1 end
  return count
end

local function sample(running, total, mark)
  -- The files it keeps open are closed after 10 s; the connections of the load are gone at once.
  report.row { ("%d"):format(total), mark, ("%d"):format(process.memory(running.pid, "Rss")),
    ("%d"):format(process.memory(running.pid, "Private_Dirty")),
    ("%d"):format(process.descriptors(running.pid)), ("%d"):format(open_objects(running)) }
end

-- Loads it until it has answered so many. Returns the sum, or nil and why not.
local function load_until(running, total, wanted)
  local empty = 0
  while total < wanted do
    local result, why = server.load(running, SLICE_S)
    if not result then return nil, why end
    empty = result.requests == 0 and empty + 1 or 0
    if empty == EMPTY_SLICES_MAX then
      return nil, ("no answer in %d s"):format(EMPTY_SLICES_MAX * SLICE_S)
    end
    total = total + result.requests
  end
  return total
end

return function(wanted)
  local files = process.dir .. "/long-files"
  os.execute(("mkdir -p %s && truncate -s 16384 %s/file.txt"):format(files, files))
  local running, why = server.start {
    label = "long, moonlatch", path = "/hello", script = server.script "mixed",
    command = function(dir, port)
      return peers.script("mixed", port,
        ("--quiet --control %s/control --set folder=%s"):format(dir, files))
    end,
  }
  if not running then
    process.note("long, moonlatch: %s", why)
    return false
  end
  report.head { "requests", "of all", "resident, KiB", "of it private, KiB", "descriptors",
    "open objects" }
  local total = 0
  sample(running, total, "0 %")
  for _, percent in ipairs { 10, 50, 100 } do
    total, why = load_until(running, total, wanted * percent / 100)
    if not total then
      process.note("long, moonlatch: %s", why)
      break
    end
    sample(running, total, percent .. " %")
  end
  server.stop(running)
  return total ~= nil
end
