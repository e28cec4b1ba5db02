"""Processes of their own over a database file: two that race, one that is killed while it writes.

They are forked from a server that has loaded the gateway already, so that one more costs little.
"""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.catalogs.catalog_files import BUILT_IN, load_catalog
from app.db.unit_of_work import Database
from app.domain.compiled import Program, compile_catalog
from app.services.context import Services
from app.services.systems import find_catalog_files
from tests.factories import CURSOR_KEY, SEEDS, Clock
from tests.moves import Answer, Ids, Move, address, by, create_user, grant, make

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.processes"])
WAIT_S = 60  # for the other process; under a full load of tests it takes its time


def load_program() -> Program:
    return compile_catalog(load_catalog([BUILT_IN, *find_catalog_files(SEEDS)]))


# ---------------------------------------------------------------------- two that race


class Rival:
    """A process that makes its moves when the other one does."""

    def __init__(self, barrier: Any, ids: Ids) -> None:
        self.connection, theirs = FORKING.Pipe()
        self.process = FORKING.Process(target=_serve_rival, args=(theirs, barrier, dict(ids)), daemon=True)
        self.process.start()
        theirs.close()

    def send(self, at: str, moves: Sequence[Move], within: float) -> None:
        """Has it make moves over the database of an address."""
        self.connection.send((at, moves, within))

    def receive(self) -> list[Answer]:
        assert self.connection.poll(WAIT_S), "the rival does not answer"
        answers: list[Answer] = self.connection.recv()
        return answers

    def end(self) -> None:
        self.connection.close()
        self.process.join(WAIT_S)


@contextmanager
def two_rivals(ids: Ids) -> Iterator[tuple[Rival, Rival]]:
    """Two processes that begin each round together."""
    barrier = FORKING.Barrier(2)
    left, right = Rival(barrier, ids), Rival(barrier, ids)
    try:
        yield left, right
    finally:
        left.end()
        right.end()


def _serve_rival(connection: Connection, barrier: Any, ids: Ids) -> None:
    program = load_program()

    async def play(at: str, moves: Sequence[Move], within: float) -> list[Answer]:
        services = Services(Database(at), program, cursor_key=CURSOR_KEY, clock=Clock())
        async with services.reading():  # the connection is there, what comes next is the race
            pass
        barrier.wait(WAIT_S)
        try:
            return await make(moves, services, ids, within=within)
        finally:
            await services.close()

    while True:
        try:
            at, moves, within = connection.recv()
        except EOFError:
            return
        connection.send(asyncio.run(play(at, moves, within)))


# ---------------------------------------------------------------------- one that is killed


def start_writer(path: Path, journal: Path, ids: Ids, *, name: str) -> Any:
    """A process that writes with two hands until it is killed. What it was told is in the journal, line by line."""
    process = FORKING.Process(target=_write_on, args=(path, journal, dict(ids), name), daemon=True)
    process.start()
    return process


def wait_for_its_first_word(journal: Path, word: str = "") -> None:
    """Until the writer of a journal is at work, or has written a word."""
    deadline = time.monotonic() + WAIT_S
    while not journal.exists() or not journal.stat().st_size or word not in journal.read_text():
        assert time.monotonic() < deadline, "the writer does not begin"
        time.sleep(0.01)


def moves_of(writer: str, hand: str, number: int) -> list[tuple[str, Move]]:
    """What a hand does as its number so many: each move with its idempotency key."""
    person = f"{writer}-{hand}-{number}"
    menu, time = "desk.reports.menu", "desk.reports.real_time"
    return [
        (f"{person} made", by("olga", create_user, person, key=f"{person} made")),
        (f"{person} granted", by("olga", grant, "user", person, menu, time, key=f"{person} granted")),
    ]


def _write_on(path: Path, journal: Path, ids: Mapping[str, str], writer: str) -> None:
    program = load_program()
    log = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def write(hand: str) -> None:
        services = Services(Database(address(path)), program, cursor_key=CURSOR_KEY, clock=Clock())
        number = 0
        while True:
            for key, move in moves_of(writer, hand, number):
                os.write(log, f"asked\t{key}\n".encode())
                answer = await move.make(services, ids)
                os.write(log, f"told\t{key}\t{answer.revision}\n".encode())
            number += 1

    async def write_with_both_hands() -> None:
        await asyncio.gather(write("left"), write("right"))

    asyncio.run(write_with_both_hands())
