"""A flood of logins, as a program of its own. Usage: python -m soak.flood PORT HOST COUNT.

`COUNT` wrong logins at once, under as many made-up names, each from one of `ADDRESSES` loopback addresses. Prints one
line of JSON: how often each status was the answer; 0 is a connection that was dropped.

It stands for other people's machines and shares processors with the gateway: it runs where those leave them idle, so
that what it costs itself is not taken for what it does to the gateway.
"""

import asyncio
import collections
import json
import os
import ssl
import sys

ADDRESSES = 200
ANSWER_SECONDS = 60.0


async def attempt(port: int, host: str, context: ssl.SSLContext, number: int) -> int:
    """Send one login; return its status."""
    body = json.dumps({"username": f"user{number}", "password": "a wrong password"}).encode()
    lines = [f"POST /_nbgate/api/login HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nConnection: close"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    address = f"127.0.{1 + number % ADDRESSES // 100}.{1 + number % 100}"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost", local_addr=(address, 0)
            )
            writer.write("\r\n".join(lines).encode() + body)
            answer = await reader.read()
            writer.close()
    except (OSError, EOFError):
        return 0
    return int(answer.split(b" ", 2)[1]) if answer else 0


async def flood(port: int, host: str, count: int) -> dict[int, int]:
    """Send all of them at once; return how often each status was the answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return collections.Counter(await asyncio.gather(*(attempt(port, host, context, number) for number in range(count))))


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    print(json.dumps(asyncio.run(flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
