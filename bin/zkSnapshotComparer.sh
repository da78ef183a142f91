#!/usr/bin/env bash
# Compares two snapshots; -h says how.
ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"
exec "$NODE" "$ZOOTS_MAIN" snapshot-compare "$@"
