-- What a script keeps in its locals, for the one note of `moonlatch dev` that a reload begins them
-- anew. Two looks, at the end of the load and at the end of the generation; nothing in between.
--
--   local changed = snapshot { handler, router, ... }
--   changed() -> "the function at app.lua:3 has 17 in its local 'count', which ..." | nil
--
-- Looked at are the upvalues of the functions that can be reached from the handlers: numbers,
-- strings and booleans that have another value, and tables that have another number of entries or
-- another plain value in them. What is filled once (nil before) and weak tables are caches.
-- It holds none of the script's values, calls no metamethod, and gives up at the limits below.
local debug, math, string = debug, math, string
local getinfo, getupvalue, upvalueid = debug.getinfo, debug.getupvalue, debug.upvalueid
local getuservalue, getmetatable, mathtype = debug.getuservalue, debug.getmetatable, math.type
local ipairs, next, package, rawget, setmetatable, type =
  ipairs, next, package, rawget, setmetatable, type
local format, sub = string.format, string.sub

local values_max, entries_max, text_max = 4096, 256, 40

-- What no script keeps its state in.
local function find_libraries()
  local seen = { [_G] = true }
  for _, name in ipairs { "coroutine", "debug", "http", "io", "lfs", "math", "os", "package",
    "string", "table", "utf8" } do
    local library = package.loaded[name]
    if library ~= nil then seen[library] = true end
  end
  return seen
end

local function is_plain(value)
  local kind = type(value)
  return kind == "number" or kind == "string" or kind == "boolean"
end

-- { count, [key] = plain value }; nil: weak, or too large to say
local function shape_of(t)
  local meta = getmetatable(t)
  if meta and rawget(meta, "__mode") then return nil end
  local count, fields = 0, {}
  for key, value in next, t do
    count = count + 1
    if count > entries_max then return nil end
    if is_plain(value) and is_plain(key) then fields[key] = value end
  end
  return { count = count, fields = fields }
end

local function state_of(value)
  if is_plain(value) then return value end
  return type(value) == "table" and shape_of(value) or nil
end

local function show(value)
  if type(value) ~= "string" then return format("%s", value) end
  return format("%q", #value > text_max and sub(value, 1, text_max) .. "..." or value)
end

-- What there is now, when it is not as it was; nil: nothing to say.
local function difference(before, now)
  if before == nil or now == nil or type(before) ~= type(now) then return nil end
  if type(now) ~= "table" then
    return (now ~= before or mathtype(now) ~= mathtype(before)) and show(now) or nil
  end
  if now.count ~= before.count then
    return format("%d %s", now.count, now.count == 1 and "entry" or "entries")
  end
  for key, value in next, before.fields do
    if now.fields[key] ~= nil and now.fields[key] ~= value then
      return format("%s = %s", key, show(now.fields[key]))
    end
  end
  return nil
end

return function(roots)
  local libraries, seen, waiting, left = find_libraries(), {}, {}, values_max
  local functions = setmetatable({}, { __mode = "v" })
  local kept, known = {}, {}
  local function add(value)
    local kind = type(value)
    if (kind == "function" or kind == "table" or kind == "userdata") and not seen[value] and
      not libraries[value] and left > 0 then
      seen[value] = true
      left = left - 1
      waiting[#waiting + 1] = value
    end
  end
  local function visit_function(f)
    local info = getinfo(f, "S")
    if sub(info.source, 1, 1) ~= "@" then return end -- the host's own, or C
    for i = 1, 255 do
      local name, value = getupvalue(f, i)
      if not name then return end
      local id = upvalueid(f, i)
      if name ~= "_ENV" and not known[id] then
        known[id] = true
        local state = state_of(value)
        if state ~= nil and not libraries[value] then
          kept[#kept + 1] = { index = i, name = name, state = state,
            place = info.short_src .. ":" .. info.linedefined }
          functions[#kept] = f
        end
        add(value)
      end
    end
  end
  local function visit(value)
    if type(value) == "function" then
      visit_function(value)
    elseif type(value) == "userdata" then
      for i = 1, 8 do
        local inner, more = getuservalue(value, i)
        if not more then break end
        add(inner)
      end
    else
      local count = 0
      for _, inner in next, value do
        count = count + 1
        if count > entries_max then break end
        add(inner)
      end
    end
  end
  for _, root in ipairs(roots) do add(root) end
  while #waiting > 0 do
    local value = waiting[#waiting]
    waiting[#waiting] = nil
    visit(value)
  end

  return function()
    for k, entry in ipairs(kept) do
      local f = functions[k]
      local name, value
      if f then name, value = getupvalue(f, entry.index) end
      local now = name and difference(entry.state, state_of(value))
      if now then
        return format("the function at %s has %s in the local '%s', which begins anew with each " ..
          "reload; http.store() keeps values", entry.place, now, entry.name)
      end
    end
    return nil
  end
end
