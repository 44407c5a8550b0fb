-- Routes with parameters: verbs, literal and :name segments, matched in C.
--
--   moonlatch scripts/routes.lua
--   curl http://localhost:8080/users/7
--   curl -X PUT -d '{"name":"Ada"}' http://localhost:8080/users/7
--
-- What a handler returns is the answer: a string, a table (JSON), a status, or status and body.
-- A known path with another verb is answered 405 with Allow, an unknown path 404, without any Lua.

local users = { [1] = "Ada", [2] = "Grace", [7] = "Edsger" }

local app = http.router()

app:get("/", function()
  return "try /users, /users/7, /sum/3/4 or /hello/you\n"
end)

app:get("/users", function()
  local list = {}
  for id, name in pairs(users) do list[#list + 1] = { id = id, name = name } end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end)

app:get("/users/:id", function(request)
  local id = math.tointeger(tonumber(request.params.id))
  local name = users[id]
  if not name then return 404, { error = "no user " .. request.params.id } end
  return { id = id, name = name }
end)

app:put("/users/:id", function(request)
  local id = math.tointeger(tonumber(request.params.id))
  if not id then return 400, { error = "an id is a whole number" } end
  local body, problem = request:body { limit = "4K" }
  if not body then return nil, problem end
  local name = body:match('"name"%s*:%s*"([^"\\]*)"')
  if not name then return 400, { error = 'send {"name":"..."}' } end
  local status = users[id] and 200 or 201
  users[id] = name
  return status, { id = id, name = name }
end)

app:delete("/users/:id", function(request)
  local id = math.tointeger(tonumber(request.params.id))
  if not users[id] then return 404 end
  users[id] = nil -- nothing is returned: 204
end)

-- A literal segment beats a named one.
app:get("/users/first", function()
  return { id = 1, name = users[1] }
end)

app:get("/sum/:a/:b", function(request)
  local a, b = tonumber(request.params.a), tonumber(request.params.b)
  if not (a and b) then return 400, "two numbers, please\n" end
  return ("%s\n"):format(a + b)
end)

app:any("/hello/:name", function(request)
  return ("%s, %s\n"):format(request.method, request.params.name)
end)

http.add_url("/", app)
