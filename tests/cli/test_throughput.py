from types import SimpleNamespace

import pytest

from sprachbund.cli.throughput import timed


def test_hours_and_speed_are_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with timed("labelled", [SimpleNamespace(duration=5400.0), SimpleNamespace(duration=1800.0)]):
        pass
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("labelled 2.00 h of speech in ")
    assert told.err.endswith(" audio hours per hour\n")


def test_what_fails_has_no_speed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="stop"), timed("labelled", []):
        raise ValueError("stop")
    assert capsys.readouterr().err == ""
