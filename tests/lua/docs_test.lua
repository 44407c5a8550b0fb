-- The reference of the Lua API: what `moonlatch help lua-types` names is what a running host has,
-- in both directions; docs/lua.md holds what `moonlatch help lua` prints.
local test = require "test"
local client = require "client"

-- On Windows the tables are the same ones, and there is no shell to ask the program with.
local program = package.config:sub(1, 1) == "/" and os.getenv "MOONLATCH" or nil
local here = debug.getinfo(1, "S").source:match "^@(.*)tests/lua/" or ""

local function printed(topic)
  local pipe = assert(io.popen(("'%s' help %s"):format(program, topic)))
  local text = pipe:read "a"
  assert(pipe:close())
  return text
end

-- The definition file as { classes = { [name] = { [field] = type } }, aliases = { [name] = type } }
local function parse(text)
  local classes, aliases, class = {}, {}, nil
  for line in text:gmatch "[^\n]+" do
    local opened = line:match "^%-%-%-@class (%S+)$"
    local alias, meaning = line:match "^%-%-%-@alias (%S+) (.+)$"
    local field, kind = line:match "^%-%-%-@field (%S+) (.+)$"
    if opened then
      assert(not classes[opened], opened .. " twice")
      class = {}
      classes[opened] = class
    elseif alias then
      aliases[alias] = meaning
    elseif field then
      assert(not class[field], field .. " twice")
      class[field] = kind
    else
      assert(not line:find "^%-%-%-@" or line:find "^%-%-%-@meta", line)
    end
  end
  return classes, aliases
end

local classes, aliases = {}, {}
if program then classes, aliases = parse(printed "lua-types") end

local function is_method(kind)
  return kind:find "^%(?fun%(" ~= nil
end

-- What type() says of a value of this kind.
local function type_of(kind)
  if is_method(kind) then return "function" end
  local word = kind:match "^[%w.]+"
  if word == "integer" then return "number" end
  return classes[word] and "userdata" or word
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, " ")
end

-- What the host's metatable answers by itself: methods, and for requests the fields.
local function table_of(type_name)
  local index = debug.getregistry()[type_name].__index
  if type(index) == "function" then
    index = select(2, debug.getupvalue(index, 1))
  end
  return type(index) == "table" and index or {}
end

local function only(class, wanted)
  local names = {}
  for name, kind in pairs(class) do
    if wanted(kind, name) then names[name] = true end
  end
  return names
end

local address = http.add_url("/docs/", function() return "" end)
local seen -- type of each documented field of a live request

http.add_url("/fields/", function(request)
  seen = {}
  for name in pairs(classes["http.request"]) do seen[name] = type(request[name]) end
end)

if not program then
  print "# skip: MOONLATCH does not name the program, or this is not POSIX"
  return test.run()
end

test("functions of http", function()
  local documented = only(classes.http, function(_, name)
    return name ~= "carried" -- nil until a reload has carried something over
  end)
  test.equal(http.carried, nil)
  test.equal(sorted(documented), sorted(http))
  for name in pairs(documented) do
    local kind = classes.http[name]
    test.equal(type(http[name]), type_of(kind), name)
  end
end)

test("types", function()
  local types = {}
  for name in pairs(debug.getregistry()) do
    if type(name) == "string" and name:find "^http%.[%w_]+$" then types[name] = true end
  end
  types["http.error"] = nil -- a table with a metatable: an alias
  local documented = only(classes, function(_, name) return name ~= "http" end)
  test.equal(sorted(documented), sorted(types))
  test.truthy(aliases["http.error"])
end)

test("methods of each type", function()
  for type_name, class in pairs(classes) do
    if type_name ~= "http" and type_name ~= "http.request" then
      local documented = only(class, is_method)
      test.equal(sorted(documented), sorted(table_of(type_name)), type_name)
    end
  end
end)

test("methods and fields of a request", function()
  test.equal(sorted(classes["http.request"]), sorted(table_of "http.request"))
  local base = address.prefixes[1]:match "^(http://[^/]+)/"
  test.equal(client.ask(base .. "/fields/").status, 204)
  for name, kind in pairs(classes["http.request"]) do
    test.equal(seen[name], type_of(kind), name)
  end
end)

test("fields of sessions, groups, queues and URLs", function()
  local queue <close> = http.queue { name = "documented" }
  local session <close> = http.session { name = "documented" }
  local group <close> = session:group { name = "documented", queue = queue }
  for _, object in ipairs { queue, session, group, address } do
    for name in pairs(classes[debug.getmetatable(object).__name]) do
      local _ = object[name] -- raises where there is none
    end
  end
  local known = pcall(function() return group.no_such_field end)
  test.equal(known, false, "an unknown field raises")
end)

-- Names of a table type: { name?: string, code: integer }
local function keys_of(kind)
  local keys = {}
  for name in kind:gmatch "([%w_]+)%??:" do keys[name] = true end
  return keys
end

test("what can be set is documented", function()
  local queue <close> = http.queue {}
  local session <close> = http.session {}
  local group <close> = session:group { queue = queue }
  for _, object in ipairs { session, group } do
    for name in pairs(keys_of(aliases["http.timeouts"])) do
      test.truthy(object:set { timeouts = { [name] = 7 } }, name)
    end
  end
  for name in pairs(keys_of(aliases["http.group_options"])) do
    local _ = group[name]
  end
end)

test("fields of the tree and of errors", function()
  local tree = http.tree()
  test.equal(sorted(classes["http.tree"]), sorted(tree))
  local text = printed "lua-types":match "(%l[%w, ]+)%.\n%-%-%-@field worker"
  for name in pairs(tree.worker) do test.match(text, "%f[%w]" .. name .. "%f[%W]", name) end
  local _, problem = http.file "no/such/file"
  local keys = keys_of(aliases["http.error"])
  for name in pairs(problem) do test.truthy(keys[name], name) end
  test.equal(problem.status, 404)
end)

test("types that are used are there", function()
  for type_name, class in pairs(classes) do
    for name, kind in pairs(class) do
      for used in kind:gmatch "http%.[%w_]+" do
        test.truthy(classes[used] or aliases[used], type_name .. "." .. name .. ": " .. used)
      end
    end
  end
end)

local function read(path)
  local file <close> = assert(io.open(here .. path))
  return file:read "a"
end

test("docs/lua.md holds the printed text", function()
  local begin <const> = "<!-- begin: moonlatch help lua -->\n```\n"
  local stop <const> = "```\n<!-- end -->"
  local text = read "docs/lua.md"
  local _, from = text:find(begin, 1, true)
  local to = text:find(stop, from or 1, true)
  test.truthy(from and to, "the markers are gone")
  test.equal(text:sub(from + 1, to - 1) == printed "lua", true,
    "put the output of `moonlatch help lua` between the markers")
end)

test("the examples of docs/lua.md compile and use what there is", function()
  local count = 0
  for example in read "docs/lua.md":gmatch "```lua\n(.-)```" do
    count = count + 1
    local compiled, message = load(example, "=example " .. count)
    test.truthy(compiled, message)
    for name in example:gmatch "%f[%w]http%.([%w_]+)" do test.truthy(http[name], name) end
  end
  test.truthy(count >= 9)
end)

test.run()
