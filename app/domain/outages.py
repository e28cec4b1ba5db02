"""What the store beneath could not do, in words that every layer knows: no refusal of a request, and no bug of ours."""


class Outage(Exception):
    """The store did not do what it was asked. The message is for whoever runs the gateway."""


class Unavailable(Outage):
    """Nothing was changed, and the same request may succeed later."""


class ConnectionLost(Unavailable):
    """The connection to the store broke, or none could be made."""


class Conflicted(Unavailable):
    """The store gave one of two transactions up for the other: the whole of it has to be done anew."""


class WritesStopped(Unavailable):
    """The process takes no writes any more, since one of its commits is undecided: another process has to."""


class UndecidedCommit(Outage):
    """Nobody knows whether the change was committed: it may appear later.

    Whoever asked for it is told just that. Asked again with the same idempotency key, the gateway does it or says that
    it was done.
    """
