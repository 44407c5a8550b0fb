http.add_url("/", function(request)
  return request:body()
end)
