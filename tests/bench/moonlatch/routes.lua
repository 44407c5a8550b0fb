local app = http.router()

for i = 0, 99 do
  app:get("/route/" .. i .. "/item", function()
    return "route " .. i
  end)
end
http.add_url("/", app)
