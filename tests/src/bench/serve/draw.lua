-- Asks for the paths of a file, each as often as any other, in an order that the seed decides.
--
-- Arguments: the file, a path a line; the seed; and, where parts are asked for, the bytes of a part and of a whole.

-- What containerd accepts: without it, distribution 2.8 has no OCI manifests.
local accept = "application/vnd.docker.distribution.manifest.v2+json, "
  .. "application/vnd.docker.distribution.manifest.list.v2+json, "
  .. "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*"

-- How many parts are asked for of each path.
local parts = 16

local asked = {}

local function ask(path, field)
  asked[#asked + 1] = "GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\nAccept: " .. accept
    .. "\r\n" .. field .. "\r\n"
end

function init(arguments)
  math.randomseed(tonumber(arguments[2]))
  local part, whole = tonumber(arguments[3]), tonumber(arguments[4])
  for path in io.lines(arguments[1]) do
    if part then
      for _ = 1, parts do
        local first = math.random(0, whole - part)
        ask(path, string.format("Range: bytes=%d-%d\r\n", first, first + part - 1))
      end
    else
      ask(path, "")
    end
  end
end

function request()
  return asked[math.random(#asked)]
end

-- Times are in microseconds. `%.0f`, for a count of bytes may be more than `%d` takes.
function done(summary, latency)
  local errors = summary.errors
  local line = 'summary {"requests":%.0f,"bytes":%.0f,"duration":%.0f,"connect":%.0f,"read":%.0f,"write":%.0f,'
    .. '"status":%.0f,"timeout":%.0f,"p50":%.0f,"p99":%.0f}\n'
  io.write(string.format(line, summary.requests, summary.bytes, summary.duration, errors.connect, errors.read,
    errors.write, errors.status, errors.timeout, latency:percentile(50), latency:percentile(99)))
end
