import resource
import sys

import pytest
import torch

from sprachbund.training.memory import keep_freed_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_a_buffer_used_again_costs_no_page_faults():
    if not keep_freed_memory():
        pytest.skip("another C library")

    def use() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(64 * 2**20 // 4)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    use()
    # 64 MiB are 16384 pages; mapped anew they would all fault again.
    assert use() < 1000
