#!/usr/bin/env bash
# Removes old snapshots and transaction logs of the configured data directories: zkCleanup.sh -n count
ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"

ZOODATADIR="$(zoo_config_value dataDir)"
ZOODATALOGDIR="$(zoo_config_value dataLogDir)"
if [ -z "$ZOODATADIR" ]; then
  echo "Unable to determine dataDir from $ZOOCFG" >&2
  exit 1
fi
if [ -z "$ZOODATALOGDIR" ]; then
  exec "$NODE" "$ZOOTS_MAIN" cleanup "$ZOODATADIR" "$@"
else
  exec "$NODE" "$ZOOTS_MAIN" cleanup "$ZOODATALOGDIR" "$ZOODATADIR" "$@"
fi
