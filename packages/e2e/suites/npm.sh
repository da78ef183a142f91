#!/usr/bin/env bash
# `zookeeper` of npm, the binding of Apache's C client: its own integration tests, which the package contains, with
# the test runner they are written for (ava). They want a server that runs already: one is started on ZK_PORT.
# Results: OUT/ava.tap. Tests are named FILE > title.
source "$(dirname "$0")/common.sh"
version=7.3.0
ava_version=6.4.1
package=$cache/npm/$version/node_modules/zookeeper

# The package builds the C client and its binding at install time. Node's headers, where they are installed beside
# node, save a download.
fetch() {
  local home=$cache/npm/$version
  rm -rf "$home"
  mkdir -p "$home"
  cd "$home"
  echo '{"private":true}' >package.json
  local prefix
  prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
  [[ ! -e $prefix/include/node/node.h ]] || export npm_config_nodedir=$prefix
  npm install --no-audit --no-fund --loglevel=error "zookeeper@$version" "ava@$ava_version" >install.log 2>&1 ||
    { tail -40 install.log >&2; return 1; }
}

run() {
  local out=$1
  shift
  mkdir -p "$out/data"
  rm -rf "$out/data/version-2"
  printf '%s\n' tickTime=2000 "dataDir=$out/data" "clientPort=$ZK_PORT" maxClientCnxns=0 admin.enableServer=false \
    '4lw.commands.whitelist=*' >"$out/zoo.cfg"
  # Unquoted on purpose: ZK_CMD is a command line.
  $ZK_CMD "$out/zoo.cfg" >"$out/server.log" 2>&1 &
  server=$!
  trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT
  serving "$ZK_PORT" 30
  local match=()
  local name
  for name in "$@"; do match+=(--match "${name#* > }"); done
  cd "$package"
  "$cache/npm/$version/node_modules/.bin/ava" --tap "${match[@]}" 'tests/integration/*.js' -- "127.0.0.1:$ZK_PORT" \
    >"$out/ava.tap" 2>"$out/stderr.txt"
}

case ${1-} in
prepare) once "npm/$version.ready" fetch ;;
run) run "${@:2}" ;;
*) echo "usage: $0 prepare | run OUT [TEST...]" >&2; exit 2 ;;
esac
