-- Sessions, groups, queues and URLs: both forms of each call, closing by every route, anchoring,
-- properties, and what closed objects say.
local test = require "test"
local client = require "client"

local base = http.add_url("/base/", function() return "base" end)
local address -- of this server, known once it serves

local function make()
  local queue = http.queue {}
  local session = http.session {}
  local group = session:group { queue = queue }
  return queue, session, group
end

test("a URL knows what was registered for it", function()
  address = test.match(base.prefixes[1], "^(http://localhost:%d+)/base/$")
  test.equal(base.path, "/base/")
  test.equal(client.ask(address .. "/base/").body, "base")
end)

test("types name themselves", function()
  local queue <close> = http.queue {}
  local session <close> = http.session { name = "typed" }
  local group <close> = http.group(session, { queue = queue })
  local url <close> = http.add_url(group, address .. "/typed/", function() end)
  for object, name in pairs { [queue] = "queue", [session] = "session", [group] = "group",
    [url] = "url" } do
    test.is(object, "http." .. name)
    test.match(tostring(object), "^http%." .. name .. " .*objects_test%.lua:%d+")
    test.truthy(debug.getmetatable(object).__gc)
    test.truthy(debug.getmetatable(object).__close)
    test.equal(getmetatable(object), false, "a script cannot take it apart")
  end
end)

test.needs "own_answers"
test("both forms of a call are the same", function()
  local queue <close> = http.queue {}
  local session <close> = http.session {}
  local one <close> = session:group { queue = queue }
  local two <close> = http.group(session, { queue = queue })
  local a <close> = one:add_url(address .. "/one/", function() return "one" end)
  local b <close> = http.add_url(two, address .. "/two/", function() return "two" end)
  test.equal(client.ask(address .. "/one/").body, "one")
  test.equal(client.ask(address .. "/two/").body, "two")
  test.truthy(http.remove_url(one, a))
  test.truthy(two:remove_url(address .. "/two/"))
  test.equal(client.ask(address .. "/one/").status, 404)
  test.equal(client.ask(address .. "/two/").status, 404)
  test.equal(b.closed, true)
end)

test("closing twice is silent", function()
  local queue, session, group = make()
  local url = group:add_url(address .. "/twice/", function() end)
  for _ = 1, 2 do
    url:close()
    group:close()
    session:close()
    queue:close()
  end
  test.truthy(queue.closed and session.closed and group.closed and url.closed)
end)

test.needs "own_answers"
test("closing parents first closes children", function()
  local queue, session, group = make()
  local url = group:add_url(address .. "/parents/", function() return "x" end)
  test.equal(client.ask(address .. "/parents/").status, 200)
  session:close()
  test.equal(group.closed, true)
  test.equal(url.closed, true)
  test.equal(client.ask(address .. "/parents/").status, 404)
  queue:close()
end)

test.needs "own_answers"
test("closing a queue first unbinds its groups", function()
  local queue, session, group = make()
  local url <close> = group:add_url(address .. "/unbound/", function() return "x" end)
  queue:close()
  test.equal(client.ask(address .. "/unbound/").status, 503)
  test.falsy(url.closed)
  session:close()
end)

test("a closed object says so", function()
  local session = http.session {}
  session:close()
  local err = test.raises(function() session:group {} end, "closed http%.session")
  test.match(tostring(err), "objects_test%.lua:%d+")
  test.match(tostring(session), "closed")
end)

test("an unregistered group is closed by the collector", function()
  local session <close> = http.session {}
  local kept = setmetatable({}, { __mode = "v" })
  do
    kept[1] = session:group {}
  end
  collectgarbage()
  collectgarbage()
  test.equal(kept[1], nil)
end)

test.needs "own_answers"
test("a registered group stays until its URL is closed", function()
  local url
  do
    local _, _, group = make()
    url = group:add_url(address .. "/anchored/", function() return "anchored" end)
  end
  for _ = 1, 3 do collectgarbage() end
  test.equal(client.ask(address .. "/anchored/").body, "anchored")
  url:close()
  test.equal(client.ask(address .. "/anchored/").status, 404)
end)

test("a URL that was dropped goes on serving", function()
  local session <close> = http.session {}
  local queue <close> = http.queue {}
  do
    session:group { queue = queue }:add_url(address .. "/dropped/", function() return "kept" end)
  end
  for _ = 1, 3 do collectgarbage() end
  test.equal(client.ask(address .. "/dropped/").body, "kept")
end)

test.needs "own_answers"
test("a block closes in reverse order", function()
  do
    local queue <close> = http.queue {}
    local session <close> = http.session {}
    local group <close> = session:group { queue = queue }
    local url <close> = group:add_url(address .. "/block/", function() return "block" end)
    test.equal(client.ask(address .. "/block/").body, "block")
    test.falsy(url.closed)
  end
  test.equal(client.ask(address .. "/block/").status, 404)
end)

test("an error closes too", function()
  local seen
  test.raises(function()
    local session <close> = http.session {}
    seen = session
    error("through the block")
  end, "through the block")
  test.equal(seen.closed, true)
end)

test("a URL twice is refused", function()
  local queue <close> = http.queue {}
  local session <close> = http.session {}
  local group <close> = session:group { queue = queue }
  local url <close> = group:add_url(address .. "/same/", function() end)
  local again, err = group:add_url(address .. "/same/", function() end)
  test.fails(again, err, "ERROR_ALREADY_EXISTS")
  test.equal(err.code, 183)
  test.falsy(url.closed)
end)

test("a malformed prefix raises at the call", function()
  local session <close> = http.session {}
  local group <close> = session:group {}
  for _, text in ipairs { "http://localhost/", "http://localhost:0/", "ftp://localhost:80/",
    "HTTP://localhost:80/", "http://localhost:80/?x", "http://:80/", "x" } do
    test.raises(function() group:add_url(text, function() end) end, "objects_test%.lua:%d+", text)
  end
end)

test("wrong arguments raise with the place", function()
  test.raises(function() http.session(7) end, "objects_test%.lua:%d+")
  test.raises(function() http.session { nonsense = 1 } end, "nonsense")
  test.raises(function() http.queue { length = "x" } end, "length")
  test.raises(function() http.queue { length = 0 } end, "length")
  test.raises(function() http.group("x") end, "objects_test%.lua:%d+")
  test.raises(function() http.add_url("/x/") end, "objects_test%.lua:%d+")
end)

test.needs "queue_properties"
test("properties by name, with units", function()
  local queue <close> = http.queue { length = 10 }
  local session <close> = http.session { timeouts = { header_wait = 5 } }
  local group <close> = session:group { queue = queue }
  test.equal(queue.length, 10)
  queue.length = 20
  test.equal(queue.length, 20)
  test.equal(session.timeouts.header_wait, 5)
  group.timeouts = { idle_connection = 7 }
  test.equal(group.timeouts.idle_connection, 7)
  group.connection_limit = 100
  test.equal(group.connection_limit, 100)
  test.raises(function() group.length = 1 end, "length")
  test.raises(function() queue.state = "sleepy" end, "state")
end)

test.needs "queue_properties"
test("an inactive group answers 503", function()
  local queue <close> = http.queue { verbosity = "limited" }
  local session <close> = http.session {}
  local group <close> = session:group { queue = queue }
  local url <close> = group:add_url(address .. "/asleep/", function() return "awake" end)
  test.equal(client.ask(address .. "/asleep/").status, 200)
  group.state = "inactive"
  test.equal(client.ask(address .. "/asleep/").status, 503)
  group.state = "active"
  test.equal(client.ask(address .. "/asleep/").status, 200)
  test.falsy(url.closed)
end)

test("a named object is shared", function()
  local one = http.session { name = "shared" }
  local two = http.session { name = "shared" }
  one:close()
  local group <close> = two:group {}
  test.is(group, "http.group")
  two:close()
  test.equal(group.closed, true)
end)

test("the tree knows what is open and where it was made", function()
  local session <close> = http.session { name = "in the tree" }
  local function find(value)
    if type(value) ~= "table" then return end
    if value.name == "in the tree" then return value end
    for _, item in pairs(value) do
      local found = find(item)
      if found then return found end
    end
  end
  local node = test.truthy(find(http.tree()))
  test.equal(node.kind, "session")
  test.match(node.made, "objects_test%.lua:%d+")
  session:close()
  test.equal(find(http.tree()), nil)
end)

test.run()
