from pathlib import Path

import pytest

from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.errors import DataError


def test_the_folder_is_there_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with new_folder(out) as folder:
        (folder / "a").write_text("b")
        assert not out.exists()
    assert (out / "a").read_text() == "b"
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("b")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as folder:
        (folder / "a").write_text("b")
    (tmp_path / "file").write_text("mine")
    for taken in ("empty", "file"):
        with pytest.raises(DataError, match=rf"holds something already in .*{taken}"), new_folder(tmp_path / taken):
            pytest.fail("never reached")
    assert (tmp_path / "file").read_text() == "mine"
