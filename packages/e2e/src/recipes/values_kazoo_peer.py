"""kazoo's counters, barriers, queues and parties, told by its standard input what to do: one command a line, one answer a line."""
import logging
import sys

from kazoo.client import KazooClient

logging.disable(logging.CRITICAL)
client = KazooClient(hosts=sys.argv[1], timeout=float(sys.argv[2]))
client.start(timeout=30)
things = {}


def add(path, layout, delta):
    counter = client.Counter(path, support_curator=layout == "int32")
    counter += int(delta)
    return str(counter.value)


def barrier(path, what):
    thing = client.Barrier(path)
    if what == "create":
        thing.create()
        return "ok"
    if what == "remove":
        return "yes" if thing.remove() else "no"
    return "yes" if thing.wait(float(what)) else "no"


def double(path, count, what):
    thing = things.setdefault(path, client.DoubleBarrier(path, int(count)))
    if what == "enter":
        thing.enter()
        return "yes" if thing.participating else "no"
    thing.leave()
    return "ok"


def put(kind, path, value, priority):
    queue = client.Queue(path) if kind == "queue" else client.LockingQueue(path)
    queue.put(value.encode(), int(priority))
    return "ok"


def get(kind, path):
    if kind == "queue":
        value = client.Queue(path).get()
    else:
        value = things.setdefault(path, client.LockingQueue(path)).get(0.5)
    return "nothing" if value is None else value.decode()


def consume(path):
    return "yes" if things[path].consume() else "no"


def party(path, what, identifier):
    thing = things.setdefault(path + identifier, client.Party(path, identifier))
    if what == "join":
        thing.join()
        return "ok"
    return ",".join(sorted(thing))


COMMANDS = {f.__name__: f for f in (add, barrier, double, put, get, consume, party)}

print("ready", flush=True)
for line in sys.stdin:
    name, *arguments = line.split()
    try:
        print(COMMANDS[name](*arguments), flush=True)
    except Exception as error:  # the answer tells; the test decides
        print("error %r" % error, flush=True)
client.stop()
