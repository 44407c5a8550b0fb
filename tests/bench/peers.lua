-- How to start each server for each workload: peers.NAME(dir, workload, port) returns the command.
-- Every server answers the same bytes from a handler, writes no access log, keeps connections
-- without a limit and runs one worker. Files (s16k, s1m) are answered by the servers themselves, by
-- moonlatch from a handler.
local peers = {}

-- What a peer's program is called; those that are not installed are left out.
peers.programs = { nginx = "nginx", lighttpd = "lighttpd" }

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  return path
end

local function is_root()
  local pipe <close> = assert(io.popen("id -u"))
  return pipe:read("a"):match("%d+") == "0"
end

-- Which handler a workload needs.
local handler_of = {
  hello = "hello", c1000 = "hello", close = "hello", pipe16 = "hello",
  user = "user", echo = "echo", routes = "routes", s16k = "file", s1m = "file",
}

local file_bytes = { s16k = 16384, s1m = 1048576 }

-- The folder of the file that is answered with.
local function make_file(dir, workload)
  os.execute("mkdir -p " .. dir .. "/files")
  write(dir .. "/files/file.txt", ("x"):rep(file_bytes[workload]))
  return dir .. "/files"
end

function peers.bound(_, workload, port)
  local arguments = {
    user = [['{"id":42,"x":"seven"}']], echo = "-s 1024 -n 1024", routes = [['route 99']],
    close = "-c", s16k = "-n 16384", s1m = "-n 1048576",
  }
  return ("%s/bound -p %d %s"):format(os.getenv("BENCH_DIR"), port, arguments[workload] or "")
end

-- A script of tests/bench/moonlatch, with its settings as `--set` wants them and more options.
function peers.script(name, port, options)
  return ("%s run -p %d %s tests/bench/moonlatch/%s.lua")
    :format(os.getenv("MOONLATCH") or "build/release/moonlatch", port, options or "", name)
end

function peers.moonlatch(dir, workload, port)
  local folder = file_bytes[workload] and "--set folder=" .. make_file(dir, workload)
  return peers.script(handler_of[workload], port, folder)
end

-- Another build, to see in the same rounds what a change did: MOONLATCH_BEFORE=path, and
-- --servers bound,moonlatch,moonlatch-before.
peers["moonlatch-before"] = function(dir, workload, port)
  local program = assert(os.getenv("MOONLATCH_BEFORE"), "MOONLATCH_BEFORE names no program")
  return (peers.moonlatch(dir, workload, port):gsub("^%S+", (program:gsub("%%", "%%%%")), 1))
end

peers["moonlatch-epoll"] = function(dir, workload, port)
  return peers.moonlatch(dir, workload, port) .. " --loop epoll"
end

local nginx_locations = {
  hello = [[location / { content_by_lua_block {
    ngx.header.content_type = "text/plain"
    ngx.header.content_length = 13
    ngx.print("hello, world\n")
  } }]],
  user = [[location ~ ^/user/([^/]+)$ { content_by_lua_block {
    local body = '{"id":' .. tonumber(ngx.var[1]) .. ',"x":"' .. ngx.var.arg_x .. '"}'
    ngx.header.content_type = "application/json"
    ngx.header.content_length = #body
    ngx.print(body)
  } }]],
  echo = [[client_body_buffer_size 16k; location / { content_by_lua_block {
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    ngx.header.content_type = "text/plain"
    ngx.header.content_length = #body
    ngx.print(body)
  } }]],
}

local function nginx_routes()
  local locations = {}
  for i = 0, 99 do
    locations[#locations + 1] = ([[location = /route/%d/item { content_by_lua_block {
      ngx.header.content_type = "text/plain"
      ngx.header.content_length = %d
      ngx.print("route %d")
    } }]]):format(i, #("route " .. i), i)
  end
  return table.concat(locations, "\n")
end

local function nginx_files(dir, workload)
  return ([[sendfile on; tcp_nopush on; open_file_cache max=256;
    location / { root %s; }]]):format(make_file(dir, workload))
end

function peers.nginx(dir, workload, port)
  local handler = handler_of[workload]
  local server = handler == "file" and nginx_files(dir, workload) or nginx_locations[handler]
    or nginx_routes()
  local temporary = {}
  for _, kind in ipairs { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" } do
    temporary[#temporary + 1] = ("%s_temp_path %s/%s;"):format(kind, dir, kind)
  end
  local conf = write(dir .. "/nginx.conf", ([[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
%s
worker_processes 1;
worker_rlimit_nofile 65536;
daemon off;
pid %s/nginx.pid;
error_log stderr error;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off;
  %s
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  server { listen 127.0.0.1:%d backlog=4096; %s }
}
]]):format(is_root() and "user root;" or "", dir,
    table.concat(temporary, "\n  "), port, server))
  return ("nginx -p %s -c %s -e stderr"):format(dir, conf)
end

local magnet = {
  hello = [[
lighty.header["Content-Type"] = "text/plain"
lighty.content = { "hello, world\n" }
return 200
]],
  user = [[
local r = lighty.r
local id = r.req_attr["uri.path"]:match("^/user/([^/]+)$")
local x = r.req_attr["uri.query"]:match("x=([^&]*)")
lighty.header["Content-Type"] = "application/json"
lighty.content = { '{"id":' .. tonumber(id) .. ',"x":"' .. x .. '"}' }
return 200
]],
  echo = [[
local r = lighty.r
if not r.req_body.collect then return 0 end
local body = r.req_body.get:sub(-1024) -- version 1.4.69 puts the request head before it
lighty.header["Content-Type"] = "text/plain"
lighty.content = { body }
return 200
]],
  routes = [[
if not _G.routes then
  _G.routes = {}
  for i = 0, 99 do _G.routes["/route/" .. i .. "/item"] = "route " .. i end
end
lighty.header["Content-Type"] = "text/plain"
lighty.content = { _G.routes[lighty.r.req_attr["uri.path"] ] }
return 200
]],
}

function peers.lighttpd(dir, workload, port)
  local handler = handler_of[workload]
  local answers = handler == "file"
    and ('server.document-root = "%s"'):format(make_file(dir, workload))
    or ('server.modules = ( "mod_magnet" )\nserver.document-root = "%s"\n'
      .. 'magnet.attract-raw-url-to = ( "%s" )')
      :format(dir, write(dir .. "/magnet.lua", magnet[handler]))
  local conf = write(dir .. "/lighttpd.conf", ([[
%s
server.bind = "127.0.0.1"
server.port = %d
server.max-connections = 8192
server.max-fds = 16384
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 600
]]):format(answers, port))
  return ("lighttpd -D -f %s"):format(conf)
end

return peers
