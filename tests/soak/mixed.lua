-- Arguments: the host, then the cookie. Everything a day has, in turn: polls, addresses that come once, writes, pages,
-- the gateway's own pages, strangers who are sent to log in, connections that end after their answer.
-- The summary goes to standard output as one line of JSON.
local number, head, stranger, close, write = 0, "", "", "", ""

function init(arguments)
  local host = "Host: " .. arguments[1] .. "\r\n"
  stranger = " HTTP/1.1\r\n" .. host .. "\r\n"
  local common = " HTTP/1.1\r\n" .. host .. "Cookie: " .. arguments[2] .. "\r\nAccept-Encoding: gzip\r\n"
  head = common .. "\r\n"
  close = common .. "Connection: close\r\n\r\n"
  local body = string.rep("x", 1000)
  write = common .. "Origin: https://" .. arguments[1] .. "\r\nContent-Length: 1000\r\n\r\n" .. body
end

function request()
  number = number + 1
  local turn = number % 200
  if turn == 0 then return "GET /api/status" .. close end
  if turn == 1 then return "GET /_nbgate/login" .. stranger end
  if turn % 20 == 2 then return "PUT /api/contents/file-" .. number % 1000 .. ".ipynb" .. write end
  if turn == 3 then return "GET /_nbgate/servers" .. head end
  if turn % 4 == 0 then return "GET /api/contents/file-" .. number .. ".json" .. head end
  if turn % 4 == 1 then return "GET /api/contents?" .. number .. head end
  return "GET /api/kernels?" .. number .. head
end

function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format(
    '\nJSON {"requests":%d,"seconds":%.6f,"failed":%d,"read_errors":%d,"p99_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, failed, summary.errors.read, latency:percentile(99) / 1000))
end
