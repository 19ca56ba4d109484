#!/bin/sh
# The page tests drive a real Chromium. Find one, or install Debian's; say plainly where neither works.
set -eu
if [ -n "${DENSE_LATENTS_CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing chromium for the page tests"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "the page tests need Chromium: install it (apt-get install chromium), or set DENSE_LATENTS_CHROMIUM to its path" >&2
exit 1
