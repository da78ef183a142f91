#!/usr/bin/env bash
# Starts, stops and asks a server, with the verbs, messages and exit codes of Apache ZooKeeper's script of this name.
#
#   zkServer.sh [--config DIR] {start|start-foreground|stop|version|restart|status|print-cmd} [CFG]
#
# CFG is the name of a file in the configuration directory, or a path. Variables: see zkEnv.sh, and
#   ZOOPIDFILE     pid file of the daemon (default: zookeeper_server.pid in dataDir)
#   ZOO_LOG_FILE   only handed on
#   ZOO_NOEXEC     start-foreground: do not replace this shell
#   ZOO_DATADIR_AUTOCREATE_DISABLE  refuse to start without existing data directories
#   ZOO_START_WAIT_SECONDS, ZOO_STOP_WAIT_SECONDS  how long start waits for a server that still reads its data, and stop
#                  for one that still closes its files (default: 60 each)

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

# "-status" is what some guides say.
ZOOVERB="${1#-}"
ZOOVERB="${ZOOVERB#-}"

usage() {
  echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}" >&2
}

if [ "$ZOOVERB" = "version" ]; then
  exec "$NODE" "$ZOOTS_MAIN" version
fi

if [ -n "${2:-}" ]; then
  ZOOCFG="$(zoo_config_path "$2")"
fi
echo "Using config: $ZOOCFG" >&2

# Sets ZOOPIDFILE, and refuses what Apache's script refuses before it starts anything.
find_pid_file() {
  local data_dir data_log_dir
  data_dir="$(zoo_config_value dataDir)"
  data_log_dir="$(zoo_config_value dataLogDir)"
  if [ -n "${ZOO_DATADIR_AUTOCREATE_DISABLE:-}" ]; then
    if [ ! -d "$data_dir/version-2" ]; then
      echo "ZooKeeper data directory is missing at $data_dir fix the path or run initialize"
      exit 1
    fi
    if [ -n "$data_log_dir" ] && [ ! -d "$data_log_dir/version-2" ]; then
      echo "ZooKeeper txnlog directory is missing at $data_log_dir fix the path or run initialize"
      exit 1
    fi
  fi
  if [ -n "${ZOOPIDFILE:-}" ]; then
    mkdir -p "$(dirname "$ZOOPIDFILE")"
  else
    if [ -z "$data_dir" ]; then
      # The server says what is wrong with the configuration; the pid file must lie somewhere until then.
      data_dir="$ZOO_LOG_DIR"
    fi
    [ -d "$data_dir" ] || mkdir -p "$data_dir" 2>/dev/null
    ZOOPIDFILE="$data_dir/zookeeper_server.pid"
  fi
}

# True if there is such a process; one that has ended and waits for its parent does not count.
is_running() {
  kill -0 "$1" 2>/dev/null || return 1
  local stat
  if read -r stat 2>/dev/null <"/proc/$1/stat"; then
    case "${stat##*) }" in
      Z* | X*) return 1 ;;
    esac
  fi
  return 0
}

# True if the process of the pid file is a server: a pid may have been given to another program since.
is_server() {
  [ -n "$1" ] && is_running "$1" || return 1
  local command
  if [ -r "/proc/$1/cmdline" ]; then
    command="$(tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null)"
  elif command -v ps >/dev/null 2>&1; then
    command="$(ps -o command= -p "$1" 2>/dev/null)"
  else
    return 0
  fi
  case "$command" in
    *QuorumPeerMain* | *ZooKeeperServerMain* | *"$ZOOTS_MAIN"*) return 0 ;;
    *) return 1 ;;
  esac
}

# The command line of the server, in ZOOCMD.
build_command() {
  ZOOCMD=("$NODE")
  [ -z "${ZK_SERVER_HEAP:-}" ] || ZOOCMD+=("--max-old-space-size=$ZK_SERVER_HEAP")
  ZOOCMD+=("$ZOOTS_MAIN" server)
  [ -z "${ZOO_DATADIR_AUTOCREATE_DISABLE:-}" ] || ZOOCMD+=("-Dzookeeper.datadir.autocreate=false")
  ZOOCMD+=("$ZOOCFG")
}

# Servers of one machine write into files of their own: zoo1.cfg adds "-zoo1" to the name.
find_console_file() {
  [ -w "$ZOO_LOG_DIR" ] || mkdir -p "$ZOO_LOG_DIR"
  local name
  name="$(basename "$ZOOCFG" .cfg)"
  [ "$name" != "zoo" ] && name="-$name" || name=""
  ZOOCONSOLE="$ZOO_LOG_DIR/zookeeper-$USER-server-$HOSTNAME$name.out"
}

start_daemon() {
  find_pid_file
  find_console_file
  build_command
  echo -n "Starting zookeeper ... "
  local pid answer fifo_dir
  if [ -f "$ZOOPIDFILE" ]; then
    pid="$(cat "$ZOOPIDFILE")"
    if is_server "$pid"; then
      echo "already running as process $pid."
      exit 1
    fi
  fi
  [ ! -s "$ZOOCONSOLE" ] || mv -f "$ZOOCONSOLE" "$ZOOCONSOLE.1"
  if ! : >"$ZOOCONSOLE"; then
    echo FAILED TO START
    exit 1
  fi
  ln -sf "$(basename "$ZOOCONSOLE")" "$ZOO_LOG_DIR/zookeeper.out" 2>/dev/null

  # The server writes a line into the pipe: "serving" when it serves clients, "started" when it is a member of an ensemble, which
  # serves them when there is a leader. The pipe ends when it dies.
  fifo_dir="$(mktemp -d "${TMPDIR:-/tmp}/zkServer.XXXXXX")" || exit 1
  mkfifo "$fifo_dir/ready" || exit 1
  ZOOTS_DAEMON=1 ZOOTS_READY_FD=3 nohup "${ZOOCMD[@]}" >>"$ZOOCONSOLE" 2>&1 </dev/null 3>"$fifo_dir/ready" &
  pid=$!
  { printf '%s' "$pid" >"$ZOOPIDFILE"; } 2>/dev/null
  answer=""
  IFS= read -r -t "${ZOO_START_WAIT_SECONDS:-60}" answer <"$fifo_dir/ready"
  rm -rf "$fifo_dir"
  if [ -z "$answer" ] && wait_for_end "$pid" 1; then
    rm -f "$ZOOPIDFILE"
    echo FAILED TO START
    tail -n 1 "$ZOOCONSOLE" >&2
    exit 1
  fi
  if [ "$(cat "$ZOOPIDFILE" 2>/dev/null)" != "$pid" ]; then
    kill "$pid"
    echo FAILED TO WRITE PID
    exit 1
  fi
  echo STARTED
  if [ -z "$answer" ]; then
    echo "It does not serve clients yet; what it is doing is in $ZOOCONSOLE" >&2
  fi
}

# True once the process is gone; false if it is still there after so many seconds.
wait_for_end() {
  local tenths=$(($2 * 10))
  while is_running "$1"; do
    [ "$tenths" -gt 0 ] || return 1
    tenths=$((tenths - 1))
    sleep 0.1
  done
  return 0
}

stop_daemon() {
  find_pid_file
  echo -n "Stopping zookeeper ... "
  if [ ! -f "$ZOOPIDFILE" ]; then
    echo "no zookeeper to stop (could not find file $ZOOPIDFILE)"
    return 0
  fi
  local pid
  pid="$(cat "$ZOOPIDFILE")"
  if is_server "$pid"; then
    kill "$pid"
    if ! wait_for_end "$pid" "${ZOO_STOP_WAIT_SECONDS:-60}"; then
      echo "STILL RUNNING as process $pid."
      return 1
    fi
  else
    echo "process $pid of $ZOOPIDFILE was gone already" >&2
  fi
  rm -f "$ZOOPIDFILE"
  echo STOPPED
}

case "$ZOOVERB" in
  start)
    start_daemon
    ;;
  start-foreground)
    find_pid_file
    build_command
    if [ -n "${ZOO_NOEXEC:-}" ]; then
      "${ZOOCMD[@]}"
    else
      exec "${ZOOCMD[@]}"
    fi
    ;;
  print-cmd)
    find_console_file
    build_command
    [ -z "${SERVER_JVMFLAGS:-}" ] || printf 'SERVER_JVMFLAGS=%q ' "$SERVER_JVMFLAGS"
    [ -z "${JVMFLAGS:-}" ] || printf 'JVMFLAGS=%q ' "$JVMFLAGS"
    printf '"%s" ' "${ZOOCMD[@]}"
    printf '> "%s" 2>&1 < /dev/null\n' "$ZOOCONSOLE"
    ;;
  stop)
    stop_daemon
    ;;
  restart)
    stop_daemon || exit 1
    start_daemon
    ;;
  status)
    exec "$NODE" "$ZOOTS_MAIN" status "$ZOOCFG"
    ;;
  *)
    usage
    ;;
esac
