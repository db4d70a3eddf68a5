"""Ctrl-C and the end of a cluster's time: the step is finished and saved, then the run ends."""

import os
import signal
import threading
from types import FrameType
from typing import Any

import torch

from sprachbund.training.distributed import largest_over_processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818  (no error: the user wanted it)
    """The run was told to stop, and its state is saved."""

    def __init__(self, number: int, step: int) -> None:
        self.signal, self.step = signal.Signals(number), step
        super().__init__(f"stopped by {self.signal.name} after step {step}")


class Interruption:
    """Notes the first SIGINT or SIGTERM; a second one of the same kind ends the process at once.

    A launcher such as torchrun sends its processes a SIGTERM when a Ctrl-C has reached it, and them, so only the same
    signal counts as impatience.
    """

    def __init__(self) -> None:
        self.noted: list[int] = []
        self.agreed = 0
        self._usual: dict[int, Any] = {}

    def watch(self) -> None:
        """Take the signals over; only the main thread of a process can."""
        if threading.current_thread() is threading.main_thread():
            self._usual = {number: signal.signal(number, self._note) for number in SIGNALS}

    def rest(self) -> None:
        """Give them back."""
        for number, handler in self._usual.items():
            signal.signal(number, handler)
        self._usual = {}

    def agree(self, device: torch.device | str) -> int:
        """The signal that any process has got, or 0; all processes must ask at the same place."""
        self.agreed = largest_over_processes(self.noted[0] if self.noted else 0, device)
        return self.agreed

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in self.noted:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.noted.append(number)
