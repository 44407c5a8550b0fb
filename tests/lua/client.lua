-- A client for tests that run inside the server: curl in the background, waited for without holding
-- up the worker.
--
--   local client = require "client"
--   local answer = client.ask(url, "-X", "POST", "-d", "body")
--   answer.status, answer.body, answer.headers["content-type"], answer.exit (of curl)
local client = {}

local function quoted(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local function take_file(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("a")
  file:close()
  os.remove(path)
  return text
end

local function parse_headers(text)
  local headers, status = {}, 0
  for line in text:gmatch("[^\r\n]+") do
    local code = line:match("^HTTP/%d%.?%d? (%d+)")
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if code then
      status, headers = math.tointeger(tonumber(code)), {}
    elseif name then
      name = name:lower()
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return status, headers
end

local is_windows = package.config:sub(1, 1) == "\\"

-- With the shell of Windows: a script of its own, so that nothing is quoted twice.
local function run_windows(base, url, words)
  for index, word in ipairs(words) do words[index] = '"' .. word:gsub("%%", "%%%%") .. '"' end
  local script <close> = assert(io.open(base .. ".cmd", "w"))
  script:write(("@curl -sS --max-time 20 -D %s.head -o %s.body %s \"%s\" 2>%s.err <nul\n"
    .. "@echo %%errorlevel%%>%s.now\n@move %s.now %s.exit >nul\n"):format(base, base,
    table.concat(words, " "), (url:gsub("%%", "%%%%")), base, base, base, base))
  script:close()
  os.execute(("start /b cmd /c %s.cmd >nul 2>nul <nul"):format(base))
end

local function run_posix(base, url, words)
  for index, word in ipairs(words) do words[index] = quoted(word) end
  os.execute(("(curl -sS --max-time 20 -D %s.head -o %s.body %s %s 2>%s.err; echo $? >%s.now; "
    .. "mv %s.now %s.exit) </dev/null >/dev/null 2>&1 &"):format(base, base,
    table.concat(words, " "), quoted(url), base, base, base, base))
end

-- Starts curl; `wait` on what it returns gives the answer.
function client.start(url, ...)
  local base = os.tmpname()
  local run = is_windows and run_windows or run_posix
  run(base, url, { ... })
  return {
    wait = function()
      for _ = 1, 2500 do
        local done = io.open(base .. ".exit")
        if done then
          done:close()
          break
        end
        http.sleep(0.01)
      end
      os.remove(base)
      os.remove(base .. ".cmd")
      local status, headers = parse_headers(take_file(base .. ".head"))
      return {
        status = status,
        headers = headers,
        body = take_file(base .. ".body"),
        problem = take_file(base .. ".err"),
        exit = math.tointeger(tonumber(take_file(base .. ".exit"):match("%d+"))),
      }
    end
  }
end

function client.ask(url, ...)
  return client.start(url, ...).wait()
end

-- Writes a body that is too long for a command line to a file; its name.
function client.file(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

-- The URL object's first address, without the final slash; known once the script serves.
function client.address(url)
  return (url.prefixes[1]:gsub("/$", ""))
end

return client
