-- Processes of the benchmark. Nothing here waits without a bound: what does not end in time is
-- killed, and the caller gets nil and a text that names it.
local process = { dir = assert(os.getenv("BENCH_DIR"), "start it with ./dev bench") }

function process.note(format, ...)
  io.stderr:write("bench: ", format:format(...), "\n")
end

function process.read_file(path)
  local file <close> = io.open(path, "r")
  return file and file:read("a")
end

-- The output of a shell command that ends by itself at once.
function process.output_of(command)
  local pipe <close> = assert(io.popen(command, "r"))
  return (pipe:read("a"))
end

-- The output of a command that gets so many seconds. nil and why not, when it took longer.
function process.run(what, seconds, command)
  local pipe = assert(io.popen(("timeout -k 2 %g %s 2>&1"):format(seconds, command), "r"))
  local text = pipe:read("a")
  local _, how, code = pipe:close()
  if code == 124 or code == 137 or how == "signal" then
    return nil, ("%s had not ended after %g s"):format(what, seconds)
  end
  return text
end

-- Calls test() until it is true, for so many seconds.
function process.wait_for(seconds, test)
  for _ = 1, seconds * 20 do
    if test() then return true end
    os.execute("sleep 0.05")
  end
  return test()
end

-- Starts a command in the background, written down for the clean-up. Returns its process id.
function process.start(command, log)
  local pid = process.output_of(("%s >%s 2>&1 </dev/null & echo $!"):format(command, log))
    :match("%d+")
  local list <close> = assert(io.open(process.dir .. "/pids", "a"))
  list:write(pid, "\n")
  return pid
end

-- Whether it runs; a dead child that nobody has waited for does not.
function process.is_alive(pid)
  local state = (process.read_file("/proc/" .. pid .. "/stat") or ""):match("^.*%) (%a)")
  return state ~= nil and state ~= "Z"
end

-- Ends it: asked first, after five seconds not asked.
function process.stop(pid, signal)
  os.execute(("kill -%s %s 2>/dev/null"):format(signal or "TERM", pid))
  if not process.wait_for(5, function() return not process.is_alive(pid) end) then
    os.execute(("kill -KILL %s 2>/dev/null"):format(pid))
  end
end

-- The process and what it started (a master has workers).
function process.family(pid)
  local all = { pid }
  local children = process.read_file(("/proc/%s/task/%s/children"):format(pid, pid)) or ""
  for child in children:gmatch("%d+") do all[#all + 1] = child end
  return all
end

-- CPU time used so far, in microseconds: what the scheduler counted, per thread, in nanoseconds.
function process.cpu_time(pid)
  local total = 0
  for _, member in ipairs(process.family(pid)) do
    local text = process.output_of(("cat /proc/%s/task/*/schedstat 2>/dev/null"):format(member))
    for line in text:gmatch("[^\n]+") do total = total + tonumber(line:match("^%d+")) / 1000 end
  end
  return total
end

-- KiB of a key of smaps_rollup ("Pss", "Rss", "Private_Dirty"), with what it started.
function process.memory(pid, key)
  local total = 0
  for _, member in ipairs(process.family(pid)) do
    local rollup = process.read_file("/proc/" .. member .. "/smaps_rollup") or ""
    total = total + (tonumber(rollup:match("\n" .. key .. ":%s+(%d+)")) or 0)
  end
  return total
end

function process.descriptors(pid)
  return tonumber(process.output_of(("ls /proc/%s/fd | wc -l"):format(pid)):match("%d+"))
end

-- The first two cores that we may use; the load shares the first where there is one alone.
function process.cores()
  local list = process.read_file("/proc/self/status"):match("Cpus_allowed_list:%s*(%S+)")
  local cores = {}
  for range in list:gmatch("[^,]+") do
    local first, last = range:match("^(%d+)-?(%d*)$")
    for core = tonumber(first), tonumber(last) or tonumber(first) do cores[#cores + 1] = core end
  end
  return cores[1], cores[2] or cores[1]
end

function process.is_installed(program)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(program)) == true
end

return process
