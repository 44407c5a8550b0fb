-- A small notes service: JSON over HTTP, kept in a SQLite database file.
--
--   apt-get install lua-cjson lua-sql-sqlite3
--   moonlatch scripts/notes.lua --set db=notes.db
--   curl -d '{"text":"buy milk"}' http://localhost:8080/notes
--   curl 'http://localhost:8080/notes?q=milk'
--   curl -X DELETE http://localhost:8080/notes/1
--
-- The database is closed by its block, after the last request was answered. A query blocks its
-- worker while it runs; with a local file and an index that is a fraction of a millisecond.

local cjson = require "cjson.safe"
local luasql = require "luasql.sqlite3"

-- Gives `thing` a <close>: thing:close() at the end of the block.
local function closing(thing)
  return setmetatable({}, { __close = function() thing:close() end })
end

local environment = luasql.sqlite3()
local _env <close> = closing(environment)
local db = assert(environment:connect(http.arg.db or "notes.db"))
local _db <close> = closing(db)

-- A pragma answers with a row.
local function set(pragma)
  local answer = assert(db:execute("PRAGMA " .. pragma))
  if type(answer) == "userdata" then answer:close() end
end

set "journal_mode = WAL"
set "busy_timeout = 2000"
assert(db:execute [[
  CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')))
]])

local function text(value)
  return "'" .. db:escape(value) .. "'"
end

-- Rows of a query as a list.
local function rows(query, ...)
  local cursor = assert(db:execute(query:format(...)))
  local _cursor <close> = closing(cursor)
  local list = {}
  local row = cursor:fetch({}, "a")
  while row do
    list[#list + 1] = {
      id = math.tointeger(tonumber(row.id)),
      text = row.text,
      done = tonumber(row.done) ~= 0,
      created = row.created,
    }
    row = cursor:fetch({}, "a")
  end
  return list
end

local function json(status, value)
  return status, { ["content-type"] = "application/json" }, assert(cjson.encode(value)) .. "\n"
end

local function problem(status, message)
  return json(status, { error = message })
end

-- The JSON object in the body; nil, status, message when there is none.
local function read_object(request)
  local body, err = request:body { limit = "64K" }
  if not body then return nil, err.status or 400, tostring(err) end
  local value = cjson.decode(body)
  if type(value) ~= "table" then return nil, 400, "the body is not a JSON object" end
  return value
end

local function id_of(request)
  return math.tointeger(tonumber(request.params.id)) or -1
end

local app = http.router()

app:get("/notes", function(request)
  local like = "%" .. (request.query.q or "") .. "%"
  local list = rows("SELECT * FROM notes WHERE text LIKE %s ORDER BY id", text(like))
  if #list == 0 then return 200, { ["content-type"] = "application/json" }, "[]\n" end
  return json(200, list)
end)

app:post("/notes", function(request)
  local note, status, message = read_object(request)
  if not note then return problem(status, message) end
  if type(note.text) ~= "string" or note.text == "" then
    return problem(422, "text is missing")
  end
  assert(db:execute(("INSERT INTO notes (text, done) VALUES (%s, %d)")
    :format(text(note.text), note.done == true and 1 or 0)))
  return json(201, rows("SELECT * FROM notes WHERE id = %d", db:getlastautoid())[1])
end)

app:get("/notes/:id", function(request)
  local note = rows("SELECT * FROM notes WHERE id = %d", id_of(request))[1]
  if not note then return problem(404, "no such note") end
  return json(200, note)
end)

app:put("/notes/:id", function(request)
  local change, status, message = read_object(request)
  if not change then return problem(status, message) end
  local note = rows("SELECT * FROM notes WHERE id = %d", id_of(request))[1]
  if not note then return problem(404, "no such note") end
  local new_text = type(change.text) == "string" and change.text or note.text
  local done = note.done
  if type(change.done) == "boolean" then done = change.done end
  assert(db:execute(("UPDATE notes SET text = %s, done = %d WHERE id = %d")
    :format(text(new_text), done and 1 or 0, note.id)))
  return json(200, rows("SELECT * FROM notes WHERE id = %d", note.id)[1])
end)

app:delete("/notes/:id", function(request)
  local changed = assert(db:execute(("DELETE FROM notes WHERE id = %d"):format(id_of(request))))
  if changed == 0 then return problem(404, "no such note") end
end)

http.add_url("/", app)
http.run()
