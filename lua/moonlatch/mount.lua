-- Mounts what the scripts of a directory returned at their own paths.
--
-- A path without parameters is a URL prefix of its own. Paths with parameters share a router on the
-- prefix before the first one: users/[id].lua becomes the route "/:id" of a router on "/users/".
-- Where users.lua stands beside it, its function answers "/users/" itself.
local http = require "http"

-- An error, and in http.tree the place, should name the script and not this file: the call is made
-- from a chunk that bears its name.
local function call_as(file, text, ...)
  return assert(load(text, "@" .. file, "t"))(...)
end

local function fail(file, text)
  error(file .. ": " .. text, 0)
end

-- "/users/:id/x" -> "/users/", "/:id/x"; nil without a parameter
local function split(mount)
  local before, rest = mount:match("^(.-/)(:.*)$")
  if before then
    return before, "/" .. rest
  end
end

local function is_router(value)
  -- getmetatable does not show the types of the host
  local meta = type(value) == "userdata" and debug.getmetatable(value)
  return meta and meta.__name == "http.router"
end

local function check(file)
  local value = file.value
  if type(value) ~= "function" and not is_router(value) then
    fail(file.path, ("a route script returns a function, a router or nothing, not a %s "
      .. "(a name that begins with _ is left for require)"):format(type(value)))
  end
end

local ADD_URL = "local http, path, handler = ... local url = http.add_url(path, handler) return url"
local ANY = "local router, path, handler = ... router:any(path, handler)"

-- files: array of { path = "routes/users.lua", mount = "/users/", value = what it returned }
return function(files)
  -- prefix -> { router =, file = the first script below it }, and the prefixes in order
  local shared = {}
  for _, file in ipairs(files) do
    check(file)
    local prefix, route = split(file.mount)
    if prefix then
      if is_router(file.value) then
        fail(file.path, "a router cannot be mounted on a path with parameters; return a function")
      end
      if not shared[prefix] then
        shared[prefix] = { router = http.router(), file = file.path }
        shared[#shared + 1] = prefix
      end
      call_as(file.path, ANY, shared[prefix].router, route, file.value)
    end
  end
  for _, file in ipairs(files) do
    local below = shared[file.mount]
    if below and is_router(file.value) then
      fail(file.path, ("returns a router, and %s is below it: make that a route of the router")
        :format(below.file))
    elseif below then
      call_as(file.path, ANY, below.router, "/", file.value)
    elseif not split(file.mount) then
      call_as(file.path, ADD_URL, http, file.mount, file.value)
    end
  end
  for _, prefix in ipairs(shared) do
    call_as(shared[prefix].file, ADD_URL, http, prefix, shared[prefix].router)
  end
end
