-- Sleeping, spawning, cancelling, and waits inside coroutines of the script.
local test = require "test"

test("spawn runs beside and gives its results", function()
  local order = {}
  local task = http.spawn(function(a, b)
    order[#order + 1] = "spawned"
    http.sleep(0.01)
    order[#order + 1] = "slept"
    return a + b, "x"
  end, 1, 2)
  order[#order + 1] = "after spawn"
  local ok, sum, text = task:wait()
  test.equal({ ok, sum, text }, { true, 3, "x" })
  test.equal(order[#order], "slept")
end)

test("a task's error reaches who waits", function()
  local ok, err = http.spawn(function() error("in the task") end):wait()
  test.equal(ok, false)
  test.match(tostring(err), "in the task")
end)

test("waiting for a task has a timeout", function()
  local task <close> = http.spawn(function() http.sleep(10) end)
  local ok, err = task:wait(0.01)
  test.fails(ok, err, "timeout")
  test.equal(task:is_running(), true)
end)

test("cancel raises where a task waits and runs its <close>", function()
  local closed
  local task = http.spawn(function()
    local _ <close> = setmetatable({}, { __close = function()
      http.sleep(0.01)
      closed = true
    end })
    http.sleep(10)
  end)
  http.sleep(0.01)
  task:cancel()
  local ok, err = task:wait(2)
  test.equal(ok, false)
  test.match(tostring(err), "cancelled")
  test.equal(closed, true)
end)

test("cancelled cannot be caught for good", function()
  local rounds = 0
  local task = http.spawn(function()
    while true do
      pcall(http.sleep, 10)
      rounds = rounds + 1
    end
  end)
  http.sleep(0.01)
  task:cancel()
  task:wait(5)
  test.equal(task:is_running(), false)
  test.truthy(rounds >= 1)
end)

test("a task closes with its block", function()
  local task
  do
    local scoped <close> = http.spawn(function() http.sleep(10) end)
    task = scoped
    http.sleep(0.01)
  end
  test.equal(task:is_running(), false)
end)

test("host waits pass through coroutines of the script", function()
  local steps = {}
  local generator = coroutine.wrap(function()
    for i = 1, 3 do
      http.sleep(0.005)
      coroutine.yield(i)
    end
  end)
  for value in generator do steps[#steps + 1] = value end
  test.equal(steps, { 1, 2, 3 })
end)

test("a wait where Lua cannot yield names the boundary", function()
  test.raises(function()
    return (("x"):gsub("x", function() http.sleep(0.01) end))
  end, "cannot wait")
  test.raises(function() table.sort({ 3, 2, 1 }, function() http.sleep(0.01) end) end,
    "cannot wait")
end)

test("a dropped coroutine has its <close> run", function()
  local closed
  do
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      coroutine.yield()
    end)
    test.truthy(coroutine.resume(co))
    test.equal(coroutine.status(co), "suspended")
  end
  test.eventually(function()
    collectgarbage()
    return closed
  end)
end)

test("coroutine.close runs <close> and may wait", function()
  local closed
  local co = coroutine.create(function()
    local _ <close> = setmetatable({}, { __close = function() closed = true end })
    coroutine.yield()
  end)
  coroutine.resume(co)
  test.truthy(coroutine.close(co))
  test.equal(closed, true)
  test.equal(coroutine.status(co), "dead")
end)

test("sleep takes its time and only numbers", function()
  local before = os.time()
  http.sleep(0)
  http.sleep(0.001)
  test.truthy(os.time() - before < 5)
  test.raises(function() http.sleep("soon") end, "number")
  test.raises(function() http.sleep(-1) end, "tasks_test%.lua:%d+")
end)

test("a busy task does not stop the others", function()
  local ticks = 0
  local ticker <close> = http.spawn(function()
    while true do
      http.sleep(0.005)
      ticks = ticks + 1
    end
  end)
  local stop = os.clock() + 0.3
  while os.clock() < stop do end
  test.truthy(ticks > 1)
  test.equal(ticker:is_running(), true)
end)

test.run()
