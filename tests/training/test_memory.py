import subprocess
import sys

import pytest

# In a process of its own, because the setting stays for good and other tests leave their marks on the heap.
PROBE = """
import resource, torch
from sprachbund.training.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64 * 2**20 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

# The first buffers after the setting still find the heap as it was.
default, taken = min(faults() for _ in range(5)), keep_freed_memory()
print(default, int(taken), min(faults() for _ in range(5)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_a_buffer_used_again_costs_no_page_faults():
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    default, taken, kept = map(int, result.stdout.split())
    if not taken:
        pytest.skip("another C library")
    # 64 MiB are 16384 pages of 4 KiB; mapped anew they all fault again.
    assert kept < default / 10
