-- Requests of every kind in turn.
local requests = {}
local at = 0

function init()
  requests = {
    wrk.format("GET", "/hello"),
    wrk.format("GET", "/user/42?x=seven"),
    wrk.format("POST", "/echo", nil, string.rep("x", 1024)),
    wrk.format("GET", "/file/file.txt"),
    wrk.format("GET", "/table"),
    wrk.format("GET", "/stream"),
    wrk.format("GET", "/missing"),
    wrk.format("GET", "/error"),
  }
end

function request()
  at = at % #requests + 1
  return requests[at]
end
