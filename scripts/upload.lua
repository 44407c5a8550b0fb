-- Uploads, streamed to disk with a checksum: any size in constant memory.
--
--   moonlatch scripts/upload.lua --set folder=/tmp/uploads
--   curl -T big.iso http://localhost:8080/upload/big.iso
--
-- The answer names the bytes and their Adler-32, the checksum of zlib (RFC 1950, section 9). A file
-- appears under its name only when it has arrived whole.
-- --set folder=PATH where files go (default "uploads"), --set sum=no leaves the checksum out.

local lfs = require "lfs"

local folder = http.arg.folder or "uploads"
local with_sum = http.arg.sum ~= "no"
if lfs.attributes(folder, "mode") ~= "directory" then assert(lfs.mkdir(folder)) end

local piece_bytes = 64 * 1024
local modulus <const> = 65521

-- Adler-32 of the bytes so far and of `piece`. Eight bytes are taken at once: their sum, and their
-- sum weighted 8 to 1, each come out of one multiplication with four 16-bit lanes.
local function adler32(a, b, piece)
  local unpack, lanes <const> = string.unpack, 0x00FF00FF00FF00FF
  local whole = #piece - #piece % 16
  for at = 1, whole, 16 do
    local w, v = unpack("<i8i8", piece, at)
    local even, odd = w & lanes, w >> 8 & lanes
    local sum = (even + odd) * 0x0001000100010001 >> 48
    b = b + 16 * a + 8 * sum + (even * 0x0008000600040002 + odd * 0x0007000500030001 >> 48)
    even, odd = v & lanes, v >> 8 & lanes
    a = a + sum + ((even + odd) * 0x0001000100010001 >> 48)
    b = b + (even * 0x0008000600040002 + odd * 0x0007000500030001 >> 48)
  end
  for at = whole + 1, #piece do
    a = a + piece:byte(at)
    b = b + a
  end
  return a % modulus, b % modulus
end

-- Closed on every way out of the handler: drops what has not arrived whole.
local function unfinished(path)
  return setmetatable({ path = path }, {
    __close = function(self)
      if self.path then os.remove(self.path) end
    end
  })
end

-- Two uploads of one name must not write into one file.
local parts = 0
local function next_part()
  parts = parts + 1
  return parts
end

local function receive(request)
  local name = request.path:match("^/upload/([%w_-][%w._-]*)$")
  if not name then return 400, "PUT /upload/NAME, with letters, digits, '.', '_' and '-'\n" end
  local path = folder .. "/" .. name
  local part <close> = unfinished(("%s/.%s.%d.part"):format(folder, name, next_part()))
  local file <close> = assert(io.open(part.path, "wb"))
  local bytes, a, b = 0, 1, 0
  for piece in request:chunks(piece_bytes) do
    assert(file:write(piece))
    bytes = bytes + #piece
    if with_sum then a, b = adler32(a, b, piece) end
  end
  assert(file:close())
  assert(os.rename(part.path, path))
  part.path = nil
  local sum = with_sum and (" adler32 %04x%04x"):format(b, a) or ""
  return 201, ("%s %d bytes%s\n"):format(name, bytes, sum)
end

http.add_url("/upload/", function(request)
  if request.method == "PUT" or request.method == "POST" then return receive(request) end
  return 405, { allow = "PUT, POST" }, "PUT a file to /upload/NAME\n"
end)
