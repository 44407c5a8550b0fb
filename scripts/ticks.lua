-- Server-sent events: a stream that a browser's EventSource reads, one event a second.
--
--   moonlatch scripts/ticks.lua
--   curl -N 'http://localhost:8080/ticks/?count=5'
--
-- http.sleep suspends this request's coroutine, not the worker: others are served meanwhile. When
-- the client goes away or the server stops, the wait ends with an error and the stream closes.

http.add_url("/ticks/", function(request)
  local count = math.tointeger(tonumber(request.query.count or 10))
  local pause = tonumber(request.query.pause or 1)
  if not (count and pause) or pause < 0 then return 400, "count and pause are numbers\n" end
  local stream <close> = assert(request:stream(200, {
    ["content-type"] = "text/event-stream",
    ["cache-control"] = "no-store",
  }))
  for tick = 1, count do
    assert(stream:write("id: ", tick, "\ndata: ", os.date("!%H:%M:%S"), "\n\n"))
    assert(stream:flush())
    if tick < count then http.sleep(pause) end
  end
end)
