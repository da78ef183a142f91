#!/usr/bin/env bash
# Sums a snapshot up: zkSnapshotRecursiveSummaryToolkit.sh snapshot_file starting_node max_depth
ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"
exec "$NODE" "$ZOOTS_MAIN" snapshot-summary "$@"
