-- Lua 5.4; `http` is the one global the host adds.
std = "lua54"
read_globals = { "http" }
max_line_length = 100
max_code_line_length = 100
-- A handler may ignore its request, a <close> variable is there for its end alone.
unused_args = false
ignore = { "211/_.*", "212/_.*", "213/_.*" }
exclude_files = { "build", "lua/meta.lua" }
-- Load scripts run inside wrk.
files["tests/bench/load"] = { std = "luajit", globals = { "wrk", "init", "request" } }
