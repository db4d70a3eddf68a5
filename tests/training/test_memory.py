import subprocess
import sys

import pytest

# In a process of its own, because the settings stay for good.
PROBE = "from sprachbund.training.memory import keep_freed_memory; print(keep_freed_memory())"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_glibc_takes_every_setting():
    # What it gains depends on where the system happens to put the heap, so only a measurement can tell (decision 6).
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"


def test_other_systems_are_left_alone(monkeypatch):
    from sprachbund.training.memory import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
