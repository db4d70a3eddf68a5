"""What a process that collates does before it begins: it leaves signals to its parent, and it never outlives it."""

import ctypes
import os
import signal
import sys

# Of Linux's prctl: the signal that this process gets when its parent dies.
_PARENT_DEATH_SIGNAL = 1


class WorkerStart:
    """Called in each new worker; it knows the process that makes them.

    A Ctrl-C in a terminal and the end of a cluster's time limit reach every process of a job. The training process
    finishes its step then, for which it may need what the workers hold, and ends them itself.
    """

    def __init__(self) -> None:
        self.parent = os.getpid()

    def __call__(self, number: int) -> None:
        """Prepare worker `number`."""
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != self.parent:  # it died before the call
                os._exit(1)
