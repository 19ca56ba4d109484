#!/bin/sh
# The page tests drive a real Chromium and draw cards with a font. Find them, or install Debian's; say plainly where
# neither works.
set -eu
# not named as the program: `command -v` would find the function
has_chromium() { [ -n "${DENSE_LATENTS_CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1; }
has_font() { ls /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf >/dev/null 2>&1; }
if has_chromium && has_font; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    wanted="fonts-dejavu-core"
    has_chromium || wanted="$wanted chromium"
    echo "installing $wanted for the page tests"
    apt-get update -qq
    # shellcheck disable=SC2086 -- two names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
    exit 0
fi
has_chromium || { echo "the page tests need Chromium: install it (apt-get install chromium), or set DENSE_LATENTS_CHROMIUM to its path" >&2; exit 1; }
echo "the test of cards as PNG is skipped: install a font (apt-get install fonts-dejavu-core)" >&2
