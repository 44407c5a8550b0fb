-- Lists the route scripts below a directory: every *.lua, sorted by path; names that begin with "_"
-- or "." are left for `require`.
local lfs = require "lfs"

-- What a folder is known by whatever its path; nil where the system has no such numbers.
local function identity(folder)
  local is = lfs.attributes(folder) or {}
  return is.ino and is.ino ~= 0 and is.dev .. ":" .. is.ino or nil
end

-- above: the folders on the way down here; a symbolic link to one of them leads nowhere new.
local function visit(folder, relative, depth, found, limits, above)
  local this = identity(folder)
  if this and above[this] then
    return
  end
  if depth > limits.depth then
    error(("%s: more than %d folders deep"):format(folder, limits.depth), 0)
  end
  limits.visited = limits.visited + 1
  if limits.visited > limits.folders then
    error(("%s: more than %d folders below the one given"):format(folder, limits.folders), 0)
  end
  if this then
    above[this] = true
  end
  for name in lfs.dir(folder) do
    if not name:find("^[._]") then
      local path = folder .. "/" .. name
      local mode = lfs.attributes(path, "mode")
      if mode == "directory" then
        visit(path, relative .. name .. "/", depth + 1, found, limits, above)
      elseif mode == "file" and name:find("%.lua$") then
        found[#found + 1] = relative .. name
        if #found > limits.count then
          error(("%s: more than %d route scripts"):format(folder, limits.count), 0)
        end
      end
    end
  end
  if this then
    above[this] = nil
  end
end

-- kind(path) -> "file", "directory", ...; nil, message
-- list(directory, depth_max, folders_max, count_max) -> array of paths below the directory, with
-- "/" between the parts; raises a message
local walk = {}

function walk.kind(path)
  return lfs.attributes(path, "mode")
end

function walk.list(directory, depth_max, folders_max, count_max)
  local found = {}
  visit(directory, "", 0, found,
    { depth = depth_max, folders = folders_max, count = count_max, visited = 0 }, {})
  table.sort(found)
  return found
end

return walk
