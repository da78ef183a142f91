"""A contender of kazoo that does what its standard input says, one command a line, one answer a line."""
import datetime
import logging
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout, NodeExistsError

logging.disable(logging.CRITICAL)
client = KazooClient(hosts=sys.argv[1], timeout=float(sys.argv[2]))
client.start(timeout=30)
things = {}

KINDS = {
    "lock": lambda path, words: client.Lock(path, "kazoo", extra_lock_patterns=words),
    "read": lambda path, words: client.ReadLock(path, "kazoo", extra_lock_patterns=words),
    "write": lambda path, words: client.WriteLock(path, "kazoo", extra_lock_patterns=words),
}


def make(kind, path, *words):
    things[(kind, path)] = KINDS[kind](path, list(words))
    return "ok"


def acquire(kind, path, seconds):
    try:
        return "yes" if things[(kind, path)].acquire(timeout=float(seconds)) else "no"
    except LockTimeout:
        return "no"


def release(kind, path):
    return "yes" if things[(kind, path)].release() else "no"


def contenders(kind, path):
    return ",".join(things[(kind, path)].contenders())


def race(kind, path, rounds, marker):
    """Takes the lock so many times; each time nobody else may have left the marker."""
    overlaps = 0
    for _ in range(int(rounds)):
        with things[(kind, path)]:
            try:
                client.create(marker, ephemeral=True)
                client.delete(marker)
            except NodeExistsError:
                overlaps += 1
    return str(overlaps)


def lease(path, seconds, holder):
    duration = datetime.timedelta(seconds=float(seconds))
    return "yes" if client.NonBlockingLease(path, duration, identifier=holder) else "no"


COMMANDS = {f.__name__: f for f in (make, acquire, release, contenders, race, lease)}

print("ready", flush=True)
for line in sys.stdin:
    name, *arguments = line.split()
    try:
        print(COMMANDS[name](*arguments), flush=True)
    except Exception as error:  # the answer tells; the test decides
        print("error %r" % error, flush=True)
client.stop()
