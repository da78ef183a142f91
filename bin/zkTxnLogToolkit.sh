#!/usr/bin/env bash
# Prints, repairs or cuts a transaction log; -h says how.
ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"
exec "$NODE" "$ZOOTS_MAIN" txnlog "$@"
