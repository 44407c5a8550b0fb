-- Downloads: files by the system's own copying, and a body of any length made while it is sent.
--
--   moonlatch scripts/download.lua --set folder=/tmp/uploads
--   curl -O http://localhost:8080/files/big.iso
--   curl 'http://localhost:8080/stream/?bytes=2147483648' | wc -c
--
-- /stream/ sends the line "moonlatch" over and over, as `yes moonlatch | head -c BYTES` does. Each
-- write waits while the reader is slow, so memory does not grow with the length.
-- --set folder=PATH where files are (default "uploads").

local folder = http.arg.folder or "uploads"
local block = ("moonlatch\n"):rep(6400)

http.add_url("/files/", function(request)
  local name = request.path:match("^/files/([%w_-][%w._-]*)$")
  if not name then return 404 end
  local file, problem = http.file(folder .. "/" .. name)
  if not file then return nil, problem end
  return 200, { ["content-disposition"] = ('attachment; filename="%s"'):format(name) }, file
end)

http.add_url("/stream/", function(request)
  local left = math.tointeger(tonumber(request.query.bytes or 1000000))
  if not left or left < 0 then return 400, "bytes is a whole number\n" end
  local headers = { ["content-type"] = "text/plain", ["content-length"] = tostring(left) }
  local stream <close> = assert(request:stream(200, headers))
  while left > 0 do
    local piece = left >= #block and block or block:sub(1, left)
    assert(stream:write(piece))
    left = left - #piece
  end
end)
