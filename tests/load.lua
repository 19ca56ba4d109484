-- wrk's side of tests/load.py: the paths of a list in its order, as browsers ask for them. With FRESH each request has
-- an address of its own, so that nothing made before answers it.
local paths = {}
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
local fresh = os.getenv("FRESH")
local count = 0

function request()
  count = count + 1
  local path = paths[(count - 1) % #paths + 1]
  if fresh then path = path .. (path:find("?") and "&" or "?") .. "visit=" .. fresh .. count end
  return wrk.format("GET", path, { ["Accept-Encoding"] = "gzip" })
end

function done(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("\n%d %f %f %f %d\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
