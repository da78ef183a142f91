#!/usr/bin/env bash
# Sourced by the other scripts of this directory: where things are. Expects ZOOBINDIR, the directory of the script.
#
# Taken from the environment where set, and from conf/zookeeper-env.sh and conf/java.env, which are sourced here:
#   ZOOCFGDIR  directory of zoo.cfg (default: conf beside this directory; --config DIR wins)
#   ZOOCFG     name of the configuration file in it (default: zoo.cfg), or a path
#   ZOO_LOG_DIR  where logs and the console output of daemons go (default: logs beside this directory)
#   NODE       the node program (default: the one on PATH)
#   SERVER_JVMFLAGS, JVMFLAGS  their -Dname=value words reach the server
#   ZK_SERVER_HEAP  heap of the server's JavaScript engine in MB (default: its own choice; znodes lie outside of it)

ZOOBINDIR="${ZOOBINDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}"
ZOOKEEPER_PREFIX="$(cd "$ZOOBINDIR/.." && pwd)"

if [ $# -gt 1 ] && [ "$1" = "--config" ]; then
  ZOOCFGDIR="$2"
  shift 2
fi

if [ -z "${ZOOCFGDIR:-}" ]; then
  if [ -e "$ZOOKEEPER_PREFIX/conf" ]; then
    ZOOCFGDIR="$ZOOKEEPER_PREFIX/conf"
  else
    ZOOCFGDIR="$ZOOKEEPER_PREFIX/etc/zookeeper"
  fi
fi

if [ -f "$ZOOCFGDIR/zookeeper-env.sh" ]; then
  . "$ZOOCFGDIR/zookeeper-env.sh"
fi
if [ -f "$ZOOCFGDIR/java.env" ]; then
  . "$ZOOCFGDIR/java.env"
fi

# The name of a configuration file is looked up in ZOOCFGDIR; a path stays as it is.
zoo_config_path() {
  case "$1" in
    */*) printf '%s' "$1" ;;
    *) printf '%s' "$ZOOCFGDIR/$1" ;;
  esac
}

# The value of a key of the configuration file (last one wins), without blanks around it.
zoo_config_value() {
  sed -n "s/^[[:space:]]*$1[[:space:]]*[=:[:space:]][[:space:]]*//p" "$ZOOCFG" 2>/dev/null | tail -n 1 |
    tr -d '\r' | sed -e 's/[[:space:]]*$//'
}

ZOOCFG="$(zoo_config_path "${ZOOCFG:-zoo.cfg}")"
ZOO_LOG_DIR="${ZOO_LOG_DIR:-$ZOOKEEPER_PREFIX/logs}"
USER="${USER:-$(id -un 2>/dev/null)}"
HOSTNAME="${HOSTNAME:-$(uname -n)}"

NODE="${NODE:-node}"
ZOOTS_MAIN="$ZOOKEEPER_PREFIX/packages/cli/dist/main.js"

if ! command -v "$NODE" >/dev/null 2>&1; then
  echo "Error: $NODE was not found: install Node.js 20.19 or newer, or set NODE to its path." >&2
  exit 1
fi
if [ ! -f "$ZOOTS_MAIN" ]; then
  echo "Error: Zoots is not built yet: run 'npm ci' in $ZOOKEEPER_PREFIX first." >&2
  exit 1
fi

export ZOOCFGDIR ZOOCFG ZOO_LOG_DIR
# The server reads the -D words out of these itself.
[ -z "${SERVER_JVMFLAGS:-}" ] || export SERVER_JVMFLAGS
[ -z "${JVMFLAGS:-}" ] || export JVMFLAGS
