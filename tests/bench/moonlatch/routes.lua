local app = http.router()

for i = 0, 99 do
  local answer = "route " .. i
  app:get("/route/" .. i .. "/item", function()
    return answer
  end)
end
http.add_url("/", app)
