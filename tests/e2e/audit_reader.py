"""Read an audit as an outsider would: nothing but the lines and SHA-256."""

import hashlib
import json

GENESIS_PREV = "0" * 64


def broken_links(lines):
    """Return (index, what) for every line whose `seq` or `prev` does not continue the line before it."""
    wrong, prev = [], GENESIS_PREV
    for index, line in enumerate(lines):
        record = json.loads(line)
        if record["seq"] != index:
            wrong.append((index, f"seq {record['seq']}"))
        if record["prev"] != prev:
            wrong.append((index, "prev"))
        prev = hashlib.sha256(line).hexdigest()
    return wrong


def processes(records, role, what):
    """Return the ids of the processes of `role` to which `what` happened, in order."""
    actions = [record for record in records if record["event.action"] == "process"]
    return [r["process.pid"] for r in actions if r["nbgate.process.role"] == role and r["message"] == what]
