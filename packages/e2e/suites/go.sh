#!/usr/bin/env bash
# go-zookeeper/zk, the Go client: its own tests, from the Go module proxy. They start servers with
# $ZOOKEEPER_BIN_PATH/zkServer.sh start-foreground CFG, on ports of their own choice from 10000 to 16000.
# Results: OUT/go.json, `go test -json`. Tests are named as Go does, sub-tests with a slash.
#
# One thing is changed in the module: its pattern for the first line of `srvr`, by which its tests wait for a server.
# It knows only the build date as servers up to 3.7 write it (12/31/2021), and learns the other form (2021-12-31);
# and the version may hold any character but a comma (Debian's says 3.8.0-${mvngit.commit.id}).
source "$(dirname "$0")/common.sh"
version=v1.0.4
module=$cache/go/zk-$version

fetch() {
  rm -rf "$module"
  mkdir -p "$module"
  cd "$cache/go"
  local answer
  answer=$(GOFLAGS=-mod=mod go mod download -json "github.com/go-zookeeper/zk@$version")
  local unpacked
  unpacked=$(sed -nE 's/^\t"Dir": "(.*)",$/\1/p' <<<"$answer")
  cp -r "$unpacked/." "$module"
  chmod -R u+w "$module"
  cd "$module"
  sed -i -e 's|(\[A-Za-z0-9\\.\\-\]+), built on|([^,]+), built on|' -e 's|(\\d\\d/\\d\\d/\\d\\d\\d\\d \\d\\d:|(\\d+[/-]\\d\\d[/-]\\d+ \\d\\d:|' \
    -e 's|time.Parse("01/02/2006 15:04 MST", match\[1\])|time.Parse(map[bool]string{true: "2006-01-02 15:04 MST", false: "01/02/2006 15:04 MST"}[match[1][4] == 45], match[1])|' flw.go
  grep -qF '\d+[/-]\d\d[/-]\d+' flw.go
  grep -qF '2006-01-02 15:04' flw.go
  go vet . >vet.log 2>&1 || true
  go test -count=1 -run '^$' . >build.log 2>&1 || { cat build.log >&2; return 1; }
}

# Go runs whole top-level tests; the names given may be sub-tests.
run() {
  local out=$1
  shift
  mkdir -p "$out"
  cd "$module"
  local pattern=.
  if (($#)); then
    pattern="^($(printf '%s\n' "${@%%/*}" | sort -u | paste -sd '|'))\$"
  fi
  ZOOKEEPER_BIN_PATH=${ZK_BIN:-$suites/bin} exec go test -json -count=1 -timeout 500s -run "$pattern" . \
    >"$out/go.json" 2>"$out/stderr.txt"
}

case ${1-} in
prepare) once "go/$version.ready" fetch ;;
run) run "${@:2}" ;;
*) echo "usage: $0 prepare | run OUT [TEST...]" >&2; exit 2 ;;
esac
