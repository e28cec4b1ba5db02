"""Asks a server over HTTP as fast as it answers: connections that are kept open, each with one request under way.

A process of its own, so that asking takes nothing from who answers; `wrk` does the same where it is installed. It reads
commands from standard input, one JSON object a line, and answers each by one:

    {"port": 8000, "file": "requests", "connections": 32, "seconds": 1.0, "cores": [1]}
    {"answers": 12345, "seconds": 1.0, "p50 ms": 2.1, "p99 ms": 5.0}

The file holds requests as they are sent, each with its length before it (4 bytes). An answer that is not 200 ends it.
"""

import gc
import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

OK = b"HTTP/1.1 200"


def write_requests(path: Path, requests: list[bytes]) -> None:
    """Writes a file of requests."""
    path.write_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in requests))


def read_requests(path: Path) -> list[bytes]:
    """The requests of such a file."""
    content, found, start = path.read_bytes(), [], 0
    while start < len(content):
        size = int.from_bytes(content[start : start + 4], "big")
        found.append(content[start + 4 : start + 4 + size])
        start += 4 + size
    return found


def find_end(answer: bytes) -> int:
    """How long an answer is of which this has come; more than has come where that is not known yet."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return len(answer) + 1
    place = answer.find(b"content-length: ", 0, head)
    if place < 0 or not answer.startswith(OK):
        raise SystemExit(f"it answers {answer[:400]!r}")
    return head + 4 + int(answer[place + 16 : answer.find(b"\r", place)])


def drive(port: int, requests: list[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Asks for so many seconds; every connection takes the next request of all."""
    socks = {}
    poll = select.epoll()
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        socks[sock.fileno()] = sock
        poll.register(sock.fileno(), select.EPOLLIN)
    came: dict[int, bytes] = dict.fromkeys(socks, b"")
    sent_at: dict[int, float] = {}
    taken: list[float] = []
    number, count = 0, len(requests)
    clock = time.perf_counter
    begun = clock()
    end = begun + seconds
    for fd, sock in socks.items():
        sent_at[fd] = clock()
        sock.send(requests[number % count])
        number += 1
    now = begun
    while now < end or len(taken) < connections:  # of what is slow, one answer each
        for fd, _ in poll.poll(1.0):
            sock = socks[fd]
            answer = came[fd] + sock.recv(1 << 20)
            if len(answer) < find_end(answer):
                if not answer:
                    raise SystemExit("it has closed the connection")
                came[fd] = answer
                continue
            came[fd] = b""
            now = clock()
            taken.append(now - sent_at[fd])
            sent_at[fd] = now
            sock.send(requests[number % count])
            number += 1
        now = clock()
    for sock in socks.values():
        sock.close()
    poll.close()
    taken.sort()
    return {
        "answers": len(taken), "seconds": now - begun,
        "p50 ms": round(taken[len(taken) // 2] * 1000, 3), "p99 ms": round(taken[int(len(taken) * 0.99)] * 1000, 3),
    }  # fmt: skip


def main() -> None:
    gc.disable()
    known: dict[str, list[bytes]] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        os.sched_setaffinity(0, asked["cores"])
        requests = known.setdefault(asked["file"], read_requests(Path(asked["file"])))
        print(json.dumps(drive(asked["port"], requests, asked["connections"], asked["seconds"])), flush=True)


if __name__ == "__main__":
    main()
