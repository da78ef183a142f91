"""Writes through kazoo, one write at a time, and tells what came of each, until its standard input ends."""
import logging
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionClosedError, ConnectionLoss, OperationTimeoutError, SessionExpiredError

logging.disable(logging.CRITICAL)
hosts, home = sys.argv[1], sys.argv[2]
client = KazooClient(hosts=hosts, timeout=20)
stopped = threading.Event()


def say(*words):
    print(*words, flush=True)


def on_state(state):
    if state == KazooState.LOST and not stopped.is_set():
        say("lost", "kazoo says LOST")


def attempt(path, value, action):
    try:
        action()
        say("ack", path, value)
    except SessionExpiredError:
        say("lost", "SessionExpiredError")
        time.sleep(0.5)
    except (ConnectionLoss, ConnectionClosedError, OperationTimeoutError):
        say("unknown", path, value)
        time.sleep(0.02)


def main():
    client.start(timeout=30)
    client.add_listener(on_state)
    client.ensure_path(home)
    client.create(home + "/ephemeral", b"", ephemeral=True)
    client.create(home + "/register", b"0")
    say("session", "%x" % (client.client_id[0] & 0xFFFFFFFFFFFFFFFF))
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    n = 0
    while not stopped.is_set():
        n += 1
        value = str(n).encode()
        path = "%s/n%d" % (home, n)
        attempt(path, n, lambda: client.create(path, value))
        attempt(home + "/register", n, lambda: client.set(home + "/register", value))
        time.sleep(0.01)
    say("session", "%x" % (client.client_id[0] & 0xFFFFFFFFFFFFFFFF))
    say("done")
    sys.stdout.flush()
    client.stop()


main()
