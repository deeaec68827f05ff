#!/bin/sh
# The peer: what a careful administrator writes. One step after the other, PostgreSQL's own settings.
# Each line of the output is the end of a step; whoever reads it keeps the instants.
# Wanted in the environment: PG_CTL DATA PYTHON SUPCTL SOCKET GATE URL, and AS (a prefix, may be empty).
set -eu

$AS "$PG_CTL" promote -w -D "$DATA" >/dev/null
echo promote

"$PYTHON" -I -S "$SUPCTL" "$SOCKET" start dossier >/dev/null
echo start

: > "$GATE"
echo open

answers() {
    if command -v curl >/dev/null; then
        curl -fsS -o /dev/null --max-time 1 "$URL" 2>/dev/null
    else
        "$PYTHON" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=1)' "$URL" 2>/dev/null
    fi
}
until answers; do sleep 0.1; done
echo verify
