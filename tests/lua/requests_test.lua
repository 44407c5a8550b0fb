-- Requests and answers: what a handler sees, every form of answer, bodies and streams.
local test = require "test"
local client = require "client"

local handler -- of the running test

local root = http.add_url("/t/", function(request) return handler(request) end)

-- Asks with the function as handler.
local function ask(f, path, ...)
  handler = f
  return client.ask(client.address(root) .. (path or "/"), ...)
end

test("method, path, query and headers", function()
  local seen = {}
  ask(function(request)
    seen.method, seen.path = request.method, request.path
    seen.name, seen.none = request.query.name, request.query.none
    seen.empty = request.query.empty
    seen.agent, seen.mine = request.headers["user-agent"], request.headers["X-Mine"]
    seen.absent = request.headers["x-absent"]
  end, "/a%20b/c?name=J%C3%B6rg+M&empty=&x=1", "-X", "OPTIONS", "-H", "X-Mine: yes", "-A", "me")
  test.equal(seen, {
    method = "OPTIONS", path = "/t/a b/c", name = "Jörg M", empty = "", agent = "me",
    mine = "yes"
  })
end)

test("what is returned is the answer", function()
  local text = ask(function() return "text" end)
  test.equal({ text.status, text.body }, { 200, "text" })
  test.match(text.headers["content-type"], "^text/plain")
  local nothing = ask(function() end)
  test.equal({ nothing.status, nothing.body }, { 204, "" })
  test.equal(ask(function() return 404 end).status, 404)
  local both = ask(function() return 201, "made" end)
  test.equal({ both.status, both.body }, { 201, "made" })
  local three = ask(function() return 202, { ["x-a"] = "1", ["content-type"] = "a/b" }, "c" end)
  test.equal({ three.status, three.body, three.headers["x-a"], three.headers["content-type"] },
    { 202, "c", "1", "a/b" })
  local json = ask(function() return { list = { 1, 2.5, "x" }, yes = true } end)
  test.equal(json.headers["content-type"], "application/json")
  test.match(json.body, '"list":%[1,2%.5,"x"%]')
  local stream = ask(function() return function(out) out:write("a", 1) out:write("b") end end)
  test.equal({ stream.status, stream.body }, { 200, "a1b" })
end)

test("several headers of one name", function()
  local answer = ask(function() return 200, { ["set-cookie"] = { "a=1", "b=2" } }, "x" end)
  test.equal(answer.headers["set-cookie"], "a=1, b=2")
end)

test("HEAD has the length and no body", function()
  local answer = ask(function() return "12345" end, "/", "-I")
  test.equal({ answer.status, answer.headers["content-length"] }, { 200, "5" })
end)

test("a wrong answer is a 500", function()
  test.equal(ask(function() return true end).status, 500)
  test.equal(ask(function() return 99 end).status, 500)
  test.equal(ask(function() return 200, { ["bad name"] = "x" }, "y" end).status, 500)
  test.equal(ask(function() return 200, { ["x-split"] = "a\r\nb: c" }, "y" end).status, 500)
end)

test("an error is a 500 and the next request is served", function()
  test.equal(ask(function() error("broken") end).status, 500)
  test.equal(ask(function() error({}) end).status, 500)
  test.equal(ask(function() return "fine" end).body, "fine")
end)

test("nil, error is an answer of the error", function()
  test.equal(ask(function() return nil, { status = 413, name = "too_large" } end).status, 413)
  test.equal(ask(function() return nil, "oops" end).status, 500)
end)

test.needs "large_bodies"
test("a body read in pieces", function()
  local sizes, total = 0, 0
  local answer = ask(function(request)
    for piece in request:chunks(1000) do
      sizes = math.max(sizes, #piece)
      total = total + #piece
    end
    return tostring(request:read())
  end, "/", "--data-binary", ("x"):rep(50000))
  test.equal({ answer.body, total }, { "nil", 50000 })
  test.truthy(sizes <= 1000)
end)

test("a body as a whole, with a limit", function()
  local answer = ask(function(request) return request:body() end, "/", "-d", "whole")
  test.equal(answer.body, "whole")
  local name, status
  answer = ask(function(request)
    local body, err = request:body { limit = 3 }
    name, status = err and err.name, err and err.status
    return body or 413
  end, "/", "-d", "too long")
  test.equal({ answer.status, name, status }, { 413, "too_large", 413 })
  answer = ask(function(request) return ("[%s]"):format(request:body()) end)
  test.equal(answer.body, "[]")
end)

test.needs "large_bodies"
test("save writes a file", function()
  local path, body = os.tmpname(), client.file(("y"):rep(200000))
  local answer = ask(function(request) return { bytes = request:save(path, { limit = "1M" }) } end,
    "/", "--data-binary", "@" .. body)
  test.equal(answer.body, '{"bytes":200000}')
  local file <close> = io.open(path)
  test.equal(#file:read("a"), 200000)
  os.remove(path)
  os.remove(body)
end)

test.needs "large_bodies"
test("save past its limit leaves nothing", function()
  local path, body = os.tmpname(), client.file(("y"):rep(200000))
  os.remove(path)
  local answer = ask(function(request) return request:save(path, { limit = "100K" }) end, "/",
    "--data-binary", "@" .. body)
  test.equal(answer.status, 413)
  test.equal(io.open(path), nil)
  os.remove(body)
end)

test("respond answers once", function()
  local err
  local answer = ask(function(request)
    request:respond(201, { ["x-b"] = "2" }, "by hand")
    local _, problem = pcall(request.respond, request, 200, "again")
    err = problem
  end)
  test.equal({ answer.status, answer.body, answer.headers["x-b"] }, { 201, "by hand", "2" })
  test.match(tostring(err), "closed http%.request")
end)

test("a stream by hand", function()
  local answer = ask(function(request)
    local out <close> = request:stream(200, { ["content-type"] = "text/x" })
    for i = 1, 3 do
      out:write(i)
      http.sleep(0.01)
    end
  end)
  test.equal({ answer.status, answer.body, answer.headers["content-type"] },
    { 200, "123", "text/x" })
end)

test.needs "cancel"
test("an error in a stream cuts it", function()
  local answer = ask(function(request)
    local out <close> = request:stream(200)
    out:write("half")
    out:flush()
    error("in the middle")
  end)
  test.not_equal(answer.exit, 0)
end)

test("a request kept after its end is closed", function()
  local kept
  ask(function(request)
    kept = request
    return "x"
  end)
  test.raises(function() return kept.path end, "closed http%.request")
end)

test("a slow handler does not hold up others", function()
  local begun, released
  handler = function()
    begun = true
    repeat http.sleep(0.01) until released
    return "slow"
  end
  local slow = client.start(client.address(root) .. "/")
  test.eventually(function() return begun end)
  local fast = ask(function() return "fast" end)
  test.equal(fast.body, "fast")
  released = true
  test.equal(slow.wait().body, "slow")
end)

test.needs "disconnect_watch"
test("a client that goes away ends its handler", function()
  local ended
  handler = function(request)
    local _ <close> = setmetatable({}, { __close = function(_, err) ended = err or "a write" end })
    local out <close> = request:stream(200)
    repeat http.sleep(0.01) until not out:write(("x"):rep(100000))
  end
  client.start(client.address(root) .. "/", "--max-time", "0.2").wait()
  test.eventually(function() return ended end)
  if ended ~= "a write" then test.match(tostring(ended), "cancelled") end
end)

test.needs "back_pressure"
test("a slow reader holds up its own handler alone", function()
  local written = 0
  handler = function(request)
    local out <close> = request:stream(200)
    for _ = 1, 1000 do
      if not out:write(("x"):rep(100000)) then return end
      written = written + 100000
    end
  end
  local slow = client.start(client.address(root) .. "/", "--limit-rate", "100k", "--max-time", "1")
  test.eventually(function() return written > 0 end)
  test.equal(ask(function() return "meanwhile" end).body, "meanwhile")
  slow.wait()
  test.truthy(written < 50000000, "the writer waits for the reader")
end)

test("a router mounted below a path", function()
  local app = http.router()
  app:get("/users/:id", function(request) return "user " .. request.params.id end)
  app:get("/users/me", function() return "me" end)
  app:post("/users", function() return 201 end)
  local url <close> = http.add_url("/routed/", app)
  local routed = client.address(url)
  test.equal(client.ask(routed .. "/users/7").body, "user 7")
  test.equal(client.ask(routed .. "/users/me").body, "me")
  test.equal(client.ask(routed .. "/users", "-d", "").status, 201)
  local wrong = client.ask(routed .. "/users", "-X", "PUT", "-d", "")
  test.equal(wrong.status, 405)
  test.match(wrong.headers.allow, "POST")
  test.equal(client.ask(routed .. "/nobody").status, 404)
  test.equal(client.ask(routed .. "/users/7", "-I").status, 200)
  local options = client.ask(routed .. "/users/7", "-X", "OPTIONS")
  test.equal(options.status, 204)
  test.match(options.headers.allow, "GET")
end)

test("a pulled queue", function()
  local queue <close> = http.queue {}
  local session <close> = http.session {}
  local group <close> = session:group { queue = queue }
  local pulled <close> = group:add_url(root.prefixes[1] .. "pulled/")
  local task = http.spawn(function()
    for request in queue:requests() do
      request:respond(200, "pulled " .. request.path)
      if request.query == "never" then break end
    end
  end)
  test.equal(client.ask(client.address(pulled) .. "/x").body, "pulled /t/pulled/x")
  task:cancel()
  task:wait(2)
end)

test("receive has a timeout", function()
  local queue <close> = http.queue {}
  local request, err = queue:receive(0.05)
  test.fails(request, err, "timeout")
end)

test.run()
