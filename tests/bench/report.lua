-- Markdown: to standard output as it comes, and into documents between two markers
--   <!-- bench NAME -->
--   <!-- /bench -->
local report = { sections = {} }

local lines

local function say(line)
  print(line)
  io.stdout:flush()
  if lines then lines[#lines + 1] = line end
end

-- What is said from now on is the section of that name.
function report.begin(name)
  if next(report.sections) then print() end
  lines = {}
  report.sections[name] = lines
end

-- The section is not printed, only kept.
function report.keep(name, text)
  report.sections[name] = text
end

function report.say(format, ...)
  say(select("#", ...) > 0 and format:format(...) or format)
end

function report.row(cells)
  say("| " .. table.concat(cells, " | ") .. " |")
end

function report.head(cells)
  report.row(cells)
  say("|" .. ("---|"):rep(#cells))
end

-- Puts the sections into a document; raises when it has a place for none of them.
function report.write(path)
  local file <close> = assert(io.open(path, "r"))
  local text, places = file:read("a"), 0
  local pattern = "(<!%-%- bench (%w+) %-%->\n).-(<!%-%- /bench %-%->)"
  text = text:gsub(pattern, function(first, name, last)
    local section = report.sections[name]
    if not section then return nil end
    places = places + 1
    return first .. "\n" .. table.concat(section, "\n") .. "\n\n" .. last
  end)
  assert(places > 0, path .. " has no marker <!-- bench NAME --> for what was measured")
  local out <close> = assert(io.open(path, "w"))
  assert(out:write(text))
  return places
end

return report
