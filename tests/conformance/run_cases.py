"""Run the Autobahn cases against a websocket server and print a JSON object: case -> [behaviour, close, passed].

A program of its own: `kosoku` changes its interpreter for cases written for Python 2, and may abort at its end.
"""

import asyncio
import json
import sys

from kosoku import FailureError, run_fuzzingclient

AT_ONCE = 4  # each case has half a second on a machine that does other things too


async def run(url, excluded, cases):
    try:
        return await run_fuzzingclient(url, cases or None, excluded or None, concurrency=AT_ONCE)
    except FailureError as failure:  # some failed; which of them matter is judged by the test
        return failure.results


url, excluded, cases = sys.argv[1], sys.argv[2].split(), sys.argv[3].split()
results = asyncio.run(run(url, excluded, cases))
judged = {each.case_id: [each.behavior.value, each.behavior_close.value, each.passed] for each in results}
sys.stdout.write(json.dumps(judged) + "\n")
sys.stdout.flush()
