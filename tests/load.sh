#!/bin/sh
# How fast latent pages come: 16 readers over the pages of all dense latents of a store, by wrk.
#   PROCESSES=2 sh tests/load.sh demo.db [seconds]
# First visits (nothing is kept yet), then again; run a worker on the same store beside it to see what that costs.
set -eu
db=$1 seconds=${2:-20}
command -v wrk >/dev/null || { echo "needs wrk: apt-get install wrk" >&2; exit 2; }
here=$(dirname "$0")
port=${PORT:-8123}
export PATHS=$(mktemp)
"$here/../.venv/bin/dense-latents" serve --db "$db" --port "$port" --processes "${PROCESSES:-1}" >/dev/null &
server=$!
trap 'kill $server; rm -f "$PATHS"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    curl -fs "http://127.0.0.1:$port/healthz" >/dev/null && break
    sleep 1
done
curl -fs "http://127.0.0.1:$port/latents.csv" | cut -d, -f3 | grep "^/saes/" >"$PATHS"
echo "$(wc -l <"$PATHS") pages"
for _ in first again; do
    wrk -t1 -c16 -d"${seconds}s" -s "$here/load.lua" "http://127.0.0.1:$port" | tail -1
done
