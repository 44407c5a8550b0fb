-- A small test library for scripts that run in the host.
--
--   local test = require "test"
--   test("adds", function() test.equal(1 + 1, 2) end)
--   test.run()
--
-- Tests run in order, each in a coroutine of its own that may wait, after the script was loaded and
-- its URLs are registered. Garbage is collected after each step (each assertion) and twice after
-- each test; then nothing may live that did not live before it: no session, group, URL, queue,
-- request, stream, timer, task or suspended coroutine. What does is named with its place.
-- A test whose provider lacks something says so: test.needs "ipv6" before it.
-- test.run reports on stderr, stops the host, and makes its exit code 1 when a test failed.

local test = {}

local list = {}          -- { name =, body = }, in order
local steps = 0          -- assertions of the running test
local needed             -- capability that the next test needs, or nil
local settle_s <const> = 2 -- time that calls under way get to come back before they count as leaks

-- ------------------------------------------------------------------------------- assertions --

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" or getmetatable(value) then return tostring(value) end
  local parts = {}
  for key, item in pairs(value) do
    local text = type(item) == "table" and "{...}" or show(item)
    parts[#parts + 1] = ("[%s] = %s"):format(show(key), text)
  end
  table.sort(parts)
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- Counts a step; raises with the caller's line when it does not hold.
local function step(holds, note, format, ...)
  steps = steps + 1
  collectgarbage()
  if holds then return end
  local message = format:format(...)
  error(note and (note .. ": " .. message) or message, 3)
end

local function same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- Equal; tables by what is in them.
function test.equal(got, wanted, note)
  step(same(got, wanted), note, "got %s, wanted %s", show(got), show(wanted))
end

function test.not_equal(got, unwanted, note)
  step(not same(got, unwanted), note, "got %s, wanted anything else", show(got))
end

function test.truthy(got, note)
  step(got, note, "got %s, wanted a true value", show(got))
  return got
end

function test.falsy(got, note)
  step(not got, note, "got %s, wanted nil or false", show(got))
end

function test.is(got, type_name, note)
  local is = math.type(got) == type_name or type(got) == type_name
    or (debug.getmetatable(got) or {}).__name == type_name
  step(is, note, "got %s, wanted something of type %s", show(got), type_name)
  return got
end

-- The text holds the pattern. Returns the captures.
function test.match(text, pattern, note)
  step(type(text) == "string" and text:find(pattern), note, "%s does not match %s", show(text),
    show(pattern))
  return text:match(pattern)
end

-- The call raises, and the error as text holds the pattern. Returns the error.
function test.raises(call, pattern, note)
  local ok, err = pcall(call)
  step(not ok, note, "no error was raised, wanted %s", show(pattern or "one"))
  if pattern then
    step(tostring(err):find(pattern), note, "raised %s, wanted %s", show(tostring(err)),
      show(pattern))
  end
  return err
end

-- For a call that returns nil and an error value: that error's name.
function test.fails(value, err, name, note)
  step(value == nil and err ~= nil, note, "got %s, wanted nil and an error", show(value))
  if name then
    step(type(err) == "table" and err.name == name, note, "failed with %s, wanted %s",
      show(tostring(err)), name)
  end
  return err
end

-- Waits until the condition holds; its value.
function test.eventually(condition, seconds, note)
  local tries = math.ceil((seconds or 5) / 0.01)
  for _ = 1, tries do
    local value = condition()
    if value then
      step(true)
      return value
    end
    http.sleep(0.01)
  end
  step(false, note, "it did not come true in %g s", seconds or 5)
end

-- ------------------------------------------------------------------------------------ leaks --

-- Adds the node and every node below it to the set: text of the node -> how many.
local function add_nodes(node, set)
  local text = ("%s %s (%s)"):format(node.kind, node.name or "", node.made or "by the host")
  set[text] = (set[text] or 0) + 1
  for _, child in ipairs(node.children or {}) do add_nodes(child, set) end
end

local function alive()
  local set, tree = {}, http.tree()
  add_nodes(tree, set)
  for _, kind in ipairs { "tasks", "requests", "streams", "timers", "coroutines" } do
    set[kind] = tree.worker[kind]
  end
  return set
end

-- What lives now and did not live before, as a sorted list of texts.
local function leaked_since(before)
  local leaks = {}
  for text, count in pairs(alive()) do
    if count > (before[text] or 0) then leaks[#leaks + 1] = text end
  end
  table.sort(leaks)
  return leaks
end

-- The same, after calls under way had time to come back.
local function leaks_of_test(before)
  local leaks
  for _ = 1, settle_s * 100 do
    collectgarbage()
    collectgarbage()
    leaks = leaked_since(before)
    if #leaks == 0 then return leaks end
    http.sleep(0.01)
  end
  return leaks
end

-- --------------------------------------------------------------------------------- the tests --

-- Adds a test.
local function add(_, name, body)
  assert(type(name) == "string" and type(body) == "function", "test(name, function)")
  list[#list + 1] = { name = name, body = body, needs = needed }
  needed = nil
end

-- The next test needs a capability of the provider, by its name in `moonlatch version --json`.
-- Where the script was started with --set lacks=NAME,NAME... and it is among them, that test is
-- skipped by name.
function test.needs(capability)
  needed = capability
end

local function is_lacking(capability)
  local lacks = "," .. (http.arg.lacks or "") .. ","
  return capability ~= nil and lacks:find("," .. capability .. ",", 1, true) ~= nil
end

-- Runs one. nil, or why it failed.
local function run_one(case)
  local before = alive()
  steps = 0
  local ok, err = xpcall(case.body, function(message)
    return debug.traceback(tostring(message), 2)
  end)
  local leaks = leaks_of_test(before)
  if not ok then return err end
  if #leaks > 0 then return "left open: " .. table.concat(leaks, ", ") end
  if steps == 0 then return "it asserted nothing" end
end

local function run_all()
  local failed = 0
  for number, case in ipairs(list) do
    local skipped = is_lacking(case.needs)
    local why = not skipped and run_one(case)
    if skipped then
      print(("ok %d - %s # skip: the provider lacks %s"):format(number, case.name, case.needs))
    elseif why then
      failed = failed + 1
      print(("not ok %d - %s\n  %s"):format(number, case.name, why:gsub("\n", "\n  ")))
    else
      print(("ok %d - %s"):format(number, case.name))
    end
  end
  print(("%d tests, %d failed"):format(#list, failed))
  http.stop(failed == 0 and 0 or 1)
end

-- Runs every test added so far, then stops the host. The last line of the script.
function test.run()
  http.spawn(run_all)
  http.run()
end

return setmetatable(test, { __call = add })
