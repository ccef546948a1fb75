-- Arguments: what to ask for ("polls" or "unlike"), then header lines "Name: value".
-- polls: the four addresses that JupyterLab polls, in turn, each with a number that is new every time, as Lab does it.
-- unlike: an address that is new every time.
-- The summary goes to standard output as one line of JSON.
local polled = { "/api/kernels?", "/api/sessions?", "/api/terminals?", "/api/contents?" }
local number, kind, head = 0, "", ""

function init(arguments)
  kind = arguments[1]
  head = " HTTP/1.1\r\n" .. table.concat(arguments, "\r\n", 2) .. "\r\n\r\n"
end

function request()
  number = number + 1
  if kind == "polls" then return "GET " .. polled[number % 4 + 1] .. number .. head end
  return "GET /api/contents/file-" .. number .. ".json" .. head
end

function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  io.write(string.format(
    '\nJSON {"requests":%d,"seconds":%.6f,"bytes":%d,"failed":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, failed,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
