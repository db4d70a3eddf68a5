"""What this machine can do at most, and what it is."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Ceilings:
    """The best of several measured rates."""

    float32: float
    """Matrix products, in floating-point operations a second."""
    bf16: float | None
    """The same in bfloat16; None where the processor has no instructions for it."""
    copy: float
    """Bytes a second, read and written."""
    read: float
    """Bytes a second, of a matrix multiplied with a vector: what a decoder step does."""


def measure_ceilings(size: int = 2048, repeats: int = 8) -> Ceilings:
    """Square products and the shape of a Transformer's largest, and a copy that no cache holds."""
    shapes = ((size, size, size), (size // 2, size * 3 // 8, size * 3 // 2))
    kinds = {torch.float32, torch.bfloat16} if has_bf16() else {torch.float32}
    best = {kind: max(_product_rate(shape, kind, repeats) for shape in shapes) for kind in kinds}
    source = torch.zeros(size * size * 16)
    target = torch.empty_like(source)
    seconds = _best(lambda: target.copy_(source), repeats)
    matrix, vector = source.view(-1, size), torch.zeros(size)
    with torch.inference_mode():
        read = source.nbytes / min(_best(lambda: matrix @ vector, repeats), _best(source.sum, repeats))
    return Ceilings(best[torch.float32], best.get(torch.bfloat16), 2 * source.nbytes / seconds, read)


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16."""
    flags = _CPU_INFO.read_text("utf-8") if _CPU_INFO.is_file() else ""
    return any(name in flags.split() for name in ("avx512_bf16", "amx_bf16", "bf16"))


def describe() -> dict[str, object]:
    """Facts to read the figures by."""
    names = [line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu_lines() -> list[str]:
    return _CPU_INFO.read_text("utf-8").splitlines() if _CPU_INFO.is_file() else []


def _product_rate(shape: tuple[int, int, int], kind: torch.dtype, repeats: int) -> float:
    rows, inner, columns = shape
    left, right = torch.randn(rows, inner).to(kind), torch.randn(inner, columns).to(kind)
    with torch.inference_mode():
        return 2.0 * rows * inner * columns / _best(lambda: left @ right, repeats)


def _best(run: Callable[[], object], repeats: int) -> float:
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
