http.add_url("/", function()
  return "hello, world\n"
end)
