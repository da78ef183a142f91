#!/usr/bin/env bash
# kazoo, the Python client: its own tests, from the source distribution on the Python package index.
# They start ZK_SERVERS servers through the `java` on PATH, restart them now and then, and use ten ports for each,
# from ZK_PORT on. Results: OUT/junit.xml. Tests are named by pytest's node ids.
source "$(dirname "$0")/common.sh"
version=2.11.0
source_dir=$cache/kazoo/kazoo-$version

fetch() {
  mkdir -p "$cache/kazoo"
  /usr/bin/python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$cache/kazoo" "kazoo==$version"
  tar -xzf "$cache/kazoo/kazoo-$version.tar.gz" -C "$cache/kazoo"
}

run() {
  local out=$1
  shift
  mkdir -p "$out"
  rm -f "$out/junit.xml"
  # ZOOKEEPER_PATH has to be set but is not used, since the class path is given. CI unlocks the test that compares
  # the server's version with ZOOKEEPER_VERSION.
  cd "$source_dir"
  PATH="$suites/bin:$PATH" PYTHONPATH=$source_dir PYTHONDONTWRITEBYTECODE=1 CI=true ZK_LOG=$out/server.log \
    ZOOKEEPER_PATH=/nonexistent ZOOKEEPER_CLASSPATH=unused ZOOKEEPER_VERSION=$ZK_VERSION \
    ZOOKEEPER_CLUSTER_SIZE=$ZK_SERVERS ZOOKEEPER_PORT_OFFSET=$ZK_PORT \
    exec /usr/bin/python3 -m pytest -p no:cacheprovider -o log_cli=false -o junit_family=xunit2 \
    --junitxml="$out/junit.xml" --timeout=60 -q --color=no --show-capture=no --tb=short "${@:-kazoo/tests}"
}

case ${1-} in
prepare) once "kazoo/$version.ready" fetch ;;
run) run "${@:2}" ;;
*) echo "usage: $0 prepare | run OUT [TEST...]" >&2; exit 2 ;;
esac
