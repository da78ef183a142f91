#!/usr/bin/env bash
# The command line client: a later version has it.
echo "zkCli.sh is not in this version yet: use any ZooKeeper client, Apache's own zkCli.sh among them." >&2
exit 1
