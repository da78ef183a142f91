#!/usr/bin/env bash
# zkServer.sh start-foreground CFG: for suites that start their server by this name. Replaces itself with the server,
# so that killing this process kills the server.
[[ ${1-} == start-foreground && -n ${2-} ]] || { echo "usage: $0 start-foreground CFG" >&2; exit 2; }
# Unquoted on purpose: both are lists of words.
exec ${ZK_CMD:?the command that starts the server under test} ${SERVER_JVMFLAGS-} "$2"
