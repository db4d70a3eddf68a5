"""What every test shares: shape checks, and the folder of golden numbers."""

import os
import tempfile
from pathlib import Path

# The run log of third-party libraries must not reach the user's home.
os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp(prefix="matplotlib-"))

from jaxtyping import install_import_hook

install_import_hook("sprachbund", "shape_checker.check")

import pytest


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of numbers computed by the original code; SPRACHBUND_GOLDEN names another of the same layout."""
    return Path(os.environ.get("SPRACHBUND_GOLDEN", Path(__file__).parent / "golden"))
