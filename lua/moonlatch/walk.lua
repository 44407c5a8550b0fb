-- Lists the route scripts below a directory: every *.lua, sorted by path; names that begin with "_"
-- or "." are left for `require`.
local lfs = require "lfs"

local function visit(folder, relative, depth, found, limits)
  if depth > limits.depth then
    error(("%s: more than %d folders deep (a symbolic link to a folder above?)")
      :format(folder, limits.depth), 0)
  end
  for name in lfs.dir(folder) do
    if not name:find("^[._]") then
      local path = folder .. "/" .. name
      local mode = lfs.attributes(path, "mode")
      if mode == "directory" then
        visit(path, relative .. name .. "/", depth + 1, found, limits)
      elseif mode == "file" and name:find("%.lua$") then
        found[#found + 1] = relative .. name
        if #found > limits.count then
          error(("%s: more than %d route scripts"):format(folder, limits.count), 0)
        end
      end
    end
  end
end

-- kind(path) -> "file", "directory", ...; nil, message
-- list(directory, depth_max, count_max) -> array of paths below the directory, with "/" between the
-- parts; raises a message
local walk = {}

function walk.kind(path)
  return lfs.attributes(path, "mode")
end

function walk.list(directory, depth_max, count_max)
  local found = {}
  visit(directory, "", 0, found, { depth = depth_max, count = count_max })
  table.sort(found)
  return found
end

return walk
