from pathlib import Path

import pytest

import tiny
from sprachbund.data.progress import watched


def test_cuts_come_in_order_and_the_bar_stays_off_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cuts = tiny.make_cuts(tmp_path, 3)
    assert [cut.id for cut in watched(cuts, "Walking")] == [cut.id for cut in cuts]
    written = capsys.readouterr()
    assert written.out == ""
    assert "Walking" in written.err
