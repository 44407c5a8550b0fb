-- Explicit life times: every object closes at the end of its block, in the right order, whatever
-- ends the block: its end, an error, a reload or a signal.
--
--   moonlatch scripts/lifetimes.lua --trace close
--   curl http://localhost:8080/api/          curl http://localhost:8080/api/tree
--   curl -d '' http://localhost:8080/api/stop
--
-- Stop it with Ctrl-C or by the last line and read on stderr in which order the host closed: the
-- URLs, the group, the session, the queue, then HttpTerminate.
-- With --set plain=1 settings stay at their defaults, for providers that have no others.

local port = http.arg.port or "8080"
local plain = http.arg.plain

local queue   <close> = http.queue { length = not plain and 1000 or nil }
local session <close> = http.session { name = "shop",
  timeouts = not plain and { header_wait = 5 } or nil }
local group   <close> = session:group { queue = queue } -- http.group(session, {...}) is the same

-- Not all that lives is the host's: this closes after the block's end too.
local journal <close> = setmetatable({ lines = 0 }, {
  __close = function(self) print(("journal closed after %d requests"):format(self.lines)) end
})

local api = http.router()

api:get("/", function()
  journal.lines = journal.lines + 1
  return "open until somebody closes it\n"
end)

-- A URL with a life of its own: it is there for as long as this request is answered.
api:get("/briefly", function(request)
  local address = "http://localhost:" .. port .. "/api/brief/"
  local url <close>, problem = group:add_url(address, function() return "not for long\n" end)
  if not url then return nil, problem end
  http.sleep(tonumber(request.query.seconds or 1))
  return address .. " is gone\n"
end)

api:get("/tree", function()
  return http.tree()
end)

api:post("/stop", function()
  http.stop()
  return 202, "stopping\n"
end)

-- http.add_url(group, ...) is the same
local url <close> = group:add_url("http://localhost:" .. port .. "/api/", api)

http.run()
print("http.run has returned: " .. tostring(url) .. " closes with this block")
