-- wrk's result as one line for bench.py: requests, seconds, p50 and p99 in microseconds, errors.
function done(summary, latency)
	local e = summary.errors
	io.write(string.format("RESULT %d %.6f %d %d %d\n", summary.requests, summary.duration / 1e6,
		latency:percentile(50), latency:percentile(99),
		e.connect + e.read + e.write + e.status + e.timeout))
end
