local folder = http.arg.folder

http.add_url("/", function(request)
  return http.file(folder .. request.path)
end)
