-- Answers of every kind, for `./dev bench --long`.
local app = http.router()
local json = { ["Content-Type"] = "application/json" }

app:get("/hello", function() return "hello, world\n" end)
app:get("/user/:id", function(request)
  return 200, json, '{"id":' .. tonumber(request.params.id) .. ',"x":"' .. request.query.x .. '"}'
end)
app:post("/echo", function(request) return request:body() end)
app:get("/file/:name", function(request)
  return http.file(http.arg.folder .. "/" .. request.params.name)
end)
app:get("/table", function(request)
  return { method = request.method, host = request.headers.host, list = { 1, 2, 3 } }
end)
app:get("/stream", function()
  return function(stream)
    for i = 1, 3 do stream:write("piece ", i, "\n") end
  end
end)
app:get("/error", function() return nil, { status = 418 } end)
http.add_url("/", app)
