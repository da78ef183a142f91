#!/usr/bin/env bash
# c.sh mt|st: Apache's C client, its own tests (zktest), from Debian's source package of zookeeper: the library with
# threads (mt) or without (st). Most tests of st and many of mt use mocks; the others need a server, which zktest
# starts and restarts itself, through tests/zkServer.sh of the same package and the `java` on PATH, always on port
# 22181. It keeps its state in /tmp/zk.pid and /tmp/certs, so only one zktest can run on a machine at a time.
# Results: OUT/zktest.txt. Tests are named Suite::test, as zktest itself does.
#
# What is changed in the unpacked package, each for a reason that has nothing to do with the server under test:
#   - tests/TestDriver.cc: zktest takes one test's name; now it takes several with commas between them. And a test's name
#     stands on a line of its own, so that it can be told from what the test prints.
#   - CMakeLists.txt: leaves out the tests of SASL, which the package's other build system has.
#   - ssl/gencerts.sh: makes the same certificates anew, with six JVMs, at every start of the server; now it copies
#     those made once.
#   - two names which compilers and libraries of today no longer have: nanosleep without its header, FIPS_mode.
source "$(dirname "$0")/common.sh"
variant=${1:?mt or st}
shift
declare -A sync_api=([mt]=ON [st]=OFF)
[[ -n ${sync_api[$variant]-} ]] || { echo "usage: $0 mt|st prepare | run OUT [TEST...]" >&2; exit 2; }
package=$cache/c/package
client=$package/zookeeper-client/zookeeper-client-c

# Debian's source lists are often not enabled: take the binary ones that are, read them as source lists, and keep
# everything apt writes in the cache.
fetch_package() {
  local apt=$cache/c/apt
  rm -rf "$apt" "$package"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/sources"
  local list
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $list ]] || continue
    sed -nE 's/^deb( |\t)/deb-src\1/p' "$list" | grep -E 'debian' >"$apt/sources/$(basename "$list" .list).list" || true
  done
  for list in /etc/apt/sources.list.d/debian*.sources; do
    [[ -f $list ]] || continue
    sed -E 's/^Types:.*/Types: deb-src/' "$list" >"$apt/sources/$(basename "$list")"
  done
  cat >"$apt/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
EOF
  cd "$apt"
  APT_CONFIG=$apt/apt.conf apt-get -qq update
  APT_CONFIG=$apt/apt.conf apt-get -qq source --download-only zookeeper
  dpkg-source --no-check -x ./zookeeper_*.dsc "$package" >unpack.log
}

adjust_package() {
  mkdir -p "$client/generated"
  (cd "$client/generated" && "${JAVA:-/usr/bin/java}" -cp /usr/share/java/zookeeper-jute.jar \
    org.apache.jute.compiler.generated.Rcc -l c "$package/zookeeper-jute/src/main/resources/zookeeper.jute")
  local run_one='runner.run( controller, globalTestConfig.getTestName());'
  grep -qF "$run_one" "$client/tests/TestDriver.cc"
  sed -i 's/runner\.run( controller, globalTestConfig\.getTestName());/\
     std::string names = globalTestConfig.getTestName();\
     for (size_t from = 0, to = 0; to != std::string::npos; from = to + 1) {\
       to = names.find(\x27,\x27, from);\
       runner.run(controller, names.substr(from, to - from));\
     }/' "$client/tests/TestDriver.cc"
  grep -qF 'BriefTestProgressListener::startTest(test);' "$client/tests/TestDriver.cc"
  sed -i 's/BriefTestProgressListener::startTest(test);/& CPPUNIT_NS::stdCOut() << std::endl;/' \
    "$client/tests/TestDriver.cc"
  sed -i 's|^  tests/TestReadOnlyClient.cc|&\n  tests/TestSASLAuth.cc|' "$client/CMakeLists.txt"
  grep -q TestSASLAuth "$client/CMakeLists.txt"
  rm -rf "$cache/c/certs"
  mkdir -p "$cache/c/certs"
  (cd "$cache/c/certs" && bash "$client/ssl/gencerts.sh" >gencerts.log 2>&1)
  printf '#!/bin/sh\ncp "%s"/* .\n' "$cache/c/certs" >"$client/ssl/gencerts.sh"
  printf '#include <time.h>\n#define FIPS_mode() 0\n' >"$cache/c/today.h"
}

fetch() { fetch_package && adjust_package; }

build() {
  local flags="-w -include $cache/c/today.h"
  rm -rf "$cache/c/$variant"
  mkdir -p "$cache/c/$variant"
  cd "$cache/c/$variant"
  cmake -Wno-dev -DWANT_SYNCAPI=${sync_api[$variant]} -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
    "$client" >cmake.log 2>&1 || { tail -30 cmake.log >&2; return 1; }
  make -j2 zktest >make.log 2>&1 || { grep -i -A5 error make.log >&2; return 1; }
}

prepare() {
  once c/package.ready fetch
  once "c/$variant.ready" build
}

# Three suites stop the server that zktest started at the beginning, and start their own for each test: they come last.
in_order() {
  local own_server='^(Zookeeper_readOnly|Zookeeper_SASLAuth|TestReconfigServer)\b'
  printf '%s\n' "$@" | grep -vE "$own_server" || true
  printf '%s\n' "$@" | grep -E "$own_server" || true
}

# zktest writes logs where it stands; its server script finds the package by base_dir. Reconfiguration tests start an
# ensemble with ZKROOT/bin/zkServer.sh.
run() {
  local out=$1
  shift
  mkdir -p "$out" "$package/build/tmp"
  cd "$out"
  rm -f ./*.txt
  # tests/zkServer.sh kills whatever process this file names, and a run that was cut short leaves it behind.
  rm -f /tmp/zk.pid
  local code=0
  PATH="$suites/bin:$PATH" base_dir=$package ZKROOT=$package ZK_LOG=$out/server.log \
    "$cache/c/$variant/zktest" "$(in_order "${@:-all}" | paste -sd ,)" >"$out/zktest.txt" 2>"$out/stderr.txt" || code=$?
  rm -f /tmp/zk.pid
  return "$code"
}

case ${1-} in
prepare) prepare ;;
run) run "${@:2}" ;;
*) echo "usage: $0 mt|st prepare | run OUT [TEST...]" >&2; exit 2 ;;
esac
