# What every suite script shares. Sourced, never run.
#
# A suite is something other people wrote to test a ZooKeeper server or client. Its script answers two words:
#   NAME.sh prepare            fetch and build the published package into the cache (does nothing when it is there)
#   NAME.sh run OUT [TEST...]  run it, all of it or the named tests, and leave its own raw results in OUT
# and judges nothing: the results are read and compared with expected/NAME.json by src/suites.ts.
#
# Environment given by the runner:
#   ZK_CMD           starts the server under test in the foreground: $ZK_CMD [-Dname=value ...] zoo.cfg
#   ZK_VERSION       the version that server reports
#   ZK_SERVERS       how many servers to start where a suite leaves the choice: 3 if that server can form an ensemble
#   ZK_PORT          first of forty ports that are free for this run
#   SUITE_CACHE      where packages are kept between runs (ignored by git)
# See README.md beside this file.
set -Eeuo pipefail
trap 'echo "$0: line $LINENO failed: $BASH_COMMAND" >&2' ERR
suites=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SUITE_CACHE:-$suites/../../../.cache/suites}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# Runs a step once: `once STAMP command...`. A step that is interrupted leaves no stamp and starts again next time.
once() {
  local stamp=$cache/$1
  shift
  [[ -e $stamp ]] && return 0
  "$@"
  mkdir -p "$(dirname "$stamp")"
  touch "$stamp"
}

# Waits until a server answers `srvr` with its mode, that is until it serves requests. `serving PORT SECONDS`
serving() {
  local deadline=$((SECONDS + $2))
  while ((SECONDS < deadline)); do
    if "$suites/bin/serving" "$1" 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "no server answered srvr on port $1 within $2 s" >&2
  return 1
}
