-- The smallest server: one URL, one function.
--
--   moonlatch scripts/hello.lua
--   curl 'http://localhost:8080/?name=Ada'
--
-- A bare path is served on the addresses of the command line (without any: localhost on port 8080,
-- on IPv4 and IPv6), with every path below it. Session, group and queue behind it are made, shared
-- and closed by the host.

http.add_url("/", function(request)
  return "hello, " .. (request.query.name or "world") .. "\n"
end)
