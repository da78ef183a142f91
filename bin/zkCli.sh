#!/usr/bin/env bash
# The command line client, with the commands, outputs and exit codes of Apache ZooKeeper's script of this name.
#
#   zkCli.sh [-server host:port[,…][/chroot]] [-timeout ms] [-r] [-waitforconnection] [-client-configuration FILE] [command …]
#
# Variables: see zkEnv.sh, and CLIENT_JVMFLAGS, whose -Dzookeeper.… words about TLS are in effect.

ZOOSCRIPT="${BASH_SOURCE[0]}"
while [ -L "$ZOOSCRIPT" ]; do
  ZOOLINK="$(readlink "$ZOOSCRIPT")"
  case "$ZOOLINK" in
    /*) ZOOSCRIPT="$ZOOLINK" ;;
    *) ZOOSCRIPT="$(dirname "$ZOOSCRIPT")/$ZOOLINK" ;;
  esac
done
ZOOBINDIR="$(cd "$(dirname "$ZOOSCRIPT")" && pwd)"
. "$ZOOBINDIR/zkEnv.sh"
[ -z "${CLIENT_JVMFLAGS:-}" ] || export CLIENT_JVMFLAGS
exec "$NODE" "$ZOOTS_MAIN" cli "$@"
