import os
import signal
import threading
from pathlib import Path

import pytest

from sprachbund.training.interruption import Interrupted, Interruption
from training.processes import terminate_twice


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_handlers_are_given_back(number: int) -> None:
    before = signal.getsignal(number)
    interruption = Interruption()
    interruption.watch()
    try:
        assert interruption.agree("cpu") == 0
        os.kill(os.getpid(), number)
        assert interruption.agree("cpu") == interruption.agreed == number
    finally:
        interruption.rest()
    assert signal.getsignal(number) == before


def test_the_other_signal_may_follow_without_harm() -> None:
    interruption = Interruption()
    interruption.watch()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.agree("cpu") == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        interruption.rest()


def test_a_second_sigterm_ends_the_process(tmp_path: Path) -> None:
    process = terminate_twice(tmp_path / "log")
    assert (process.exitcode, (tmp_path / "log").read_text()) == (-signal.SIGTERM, "once")


def test_other_threads_watch_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    interruption = Interruption()
    thread = threading.Thread(target=interruption.watch)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) == before
    interruption.rest()


def test_it_says_what_has_stopped_the_run() -> None:
    stop = Interrupted(15, 7)
    assert (str(stop), stop.signal, stop.step) == ("stopped by SIGTERM after step 7", signal.SIGTERM, 7)
