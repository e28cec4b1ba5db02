-- For wrk: sends the requests of a file, one after another, each with its length before it (4 bytes, see drive.py).
--
--   wrk -t1 -c64 -d1s -s benchmarks/requests.lua http://127.0.0.1:8000 -- requests

local requests, number = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local content = file:read("*a")
  file:close()
  local start = 1
  while start < #content do
    local a, b, c, d = content:byte(start, start + 3)
    local size = ((a * 256 + b) * 256 + c) * 256 + d
    requests[#requests + 1] = content:sub(start + 4, start + 3 + size)
    start = start + 4 + size
  end
end

function request()
  number = number % #requests + 1
  return requests[number]
end
