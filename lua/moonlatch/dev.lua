-- Pages that refresh themselves in `moonlatch dev`: the host's own URL beside those of the script.
--
--   /_moonlatch/dev/refresh.js   what the script tag of a page loads
--   /_moonlatch/dev/events       an event stream: `news` says what serves and what is broken, at
--                                once and whenever that changes
--
-- It runs before the script has changed a global, and keeps what it needs.
local http = require "http"

local refresh_script = [[
(function () {
  "use strict";
  var me = document.currentScript, version = me && me.dataset.version, source = null;
  if (!version || window.moonlatchRefreshes) { return; }
  window.moonlatchRefreshes = true;
  function show(text) {
    var banner = document.getElementById("moonlatch-stale");
    if (text === null) {
      if (banner) { banner.remove(); }
      return;
    }
    if (!banner) {
      banner = document.createElement("div");
      banner.id = "moonlatch-stale";
      banner.setAttribute("role", "status");
      banner.style.cssText = "position:fixed;left:0;right:0;bottom:0;z-index:2147483647;" +
        "padding:.5em 1em;background:#c22;color:#fff;font:14px/1.5 monospace";
      (document.body || document.documentElement).appendChild(banner);
    }
    banner.textContent = text;
  }
  function close() {
    if (source) { source.close(); source = null; }
  }
  function open() {
    if (source || document.hidden) { return; }
    source = new EventSource("/_moonlatch/dev/events");
    source.addEventListener("news", function (event) {
      var news = JSON.parse(event.data);
      if (news.version !== version) {
        close();
        location.reload();
      } else if (version.indexOf("!") < 0) {
        show(news.broken);
      }
    });
  }
  // A hidden page gives its connection back: a browser has only a few for one host.
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) { close(); } else { open(); }
  });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
})();
]]

local add_url, ipairs, setmetatable = http.add_url, ipairs, setmetatable

local function answer_events(core, streams)
  if streams.open >= core.streams_max then
    return 503, { ["retry-after"] = "5" }, "too many pages listen for news\n"
  end
  return 200, { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store" },
    function(stream)
      streams.open = streams.open + 1
      local _ <close> = setmetatable({}, { __close = function()
        streams.open = streams.open - 1
      end })
      local told
      stream:write("retry: 200\n\n")
      repeat
        local news, serial = core.news()
        if news ~= told and not stream:write("event: news\ndata: ", news, "\n\n") then return end
        told = news
      until not core.wait(serial)
      -- its generation has ended: what came after it is said here, the next question is for that
      local news = core.news()
      if news ~= told then stream:write("event: news\ndata: ", news, "\n\n") end
    end
end

-- core: news() -> text, serial; wait(serial) -> whether to go on; streams_max
-- prefixes: where the script can be reached. Returns how many of them the host has got.
return function(core, prefixes)
  local streams = { open = 0 }
  local function handle(request)
    local path = request.path
    if path == "/_moonlatch/dev/refresh.js" then
      return 200, { ["content-type"] = "text/javascript; charset=utf-8",
        ["cache-control"] = "no-cache" }, refresh_script
    elseif path == "/_moonlatch/dev/events" then
      return answer_events(core, streams)
    end
    return 404, "not found\n"
  end
  local made = 0
  for _, prefix in ipairs(prefixes) do
    local ok, url = pcall(add_url, prefix, handle)
    if ok and url then made = made + 1 end
  end
  return made
end
