local json = { ["Content-Type"] = "application/json" }
local app = http.router()

app:get("/user/:id", function(request)
  return 200, json, '{"id":' .. tonumber(request.params.id) .. ',"x":"' .. request.query.x .. '"}'
end)
http.add_url("/", app)
