#!/usr/bin/env bash
# Prints a snapshot: zkSnapShotToolkit.sh [-d | -json] snapshot_file
ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"
exec "$NODE" "$ZOOTS_MAIN" snapshot "$@"
