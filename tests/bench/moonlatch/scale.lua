-- What the rows of `./dev bench --scale` ask for.
--   --set urls=N     N URLs, /u1/ to /uN/
--   --set routes=N   a router with N routes, /r1/item to /rN/item
--   --set folder=PATH  files are there
local ok = "ok\n"
local block = ("x"):rep(65536)
local app = http.router()

for i = 1, tonumber(http.arg.urls or 0) do
  http.add_url("/u" .. i .. "/", function() return ok end)
end
for i = 1, tonumber(http.arg.routes or 1) do
  app:get("/r" .. i .. "/item", function() return ok end)
end

app:get("/stream", function(request)
  local left = tonumber(request.query.bytes)
  local headers = { ["content-length"] = tostring(left) }
  local stream <close> = assert(request:stream(200, headers))
  while left > 0 do
    assert(stream:write(left >= #block and block or block:sub(1, left)))
    left = left - #block
  end
end)
app:get("/file/:name", function(request)
  return http.file(http.arg.folder .. "/" .. request.params.name)
end)
app:put("/count", function(request)
  local bytes = 0
  for piece in request:chunks(65536) do bytes = bytes + #piece end
  return bytes .. "\n"
end)
http.add_url("/", app)
