#!/usr/bin/env bash
# Makes an empty data directory for a server (ZOOCFG is its default configuration file); --help says how.
ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"
exec "$NODE" "$ZOOTS_MAIN" initialize "$@"
