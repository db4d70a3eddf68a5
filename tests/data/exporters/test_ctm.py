import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lhotse.supervision import AlignmentItem

from aligned_files import Tier, phones, round_trip, tiers
from sprachbund.errors import DataError

texts = st.text(min_size=1, max_size=6).filter(lambda text: text.split() == [text])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tiers(texts), tiers(phones()))
def test_what_is_exported_is_imported(tmp_path: Path, words: Tier, sounds: Tier) -> None:
    round_trip(Path(tempfile.mkdtemp(dir=tmp_path)), "ctm", words, sounds)


@pytest.mark.parametrize("symbol", ["", " ", "two words", "line\nbreak", "next\x85line"])
def test_symbols_that_would_part_the_fields_are_refused(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(DataError, match="symbol is empty or holds white space"):
        round_trip(tmp_path, "ctm", [AlignmentItem(symbol, 0.1, 0.1)], [])
    assert not (tmp_path / "out").exists()
