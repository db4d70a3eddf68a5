from pathlib import Path

import numpy as np
import pytest
import soundfile

from sprachbund.data.corpora.field import inventory as module
from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import MISSING, UNREADABLE
from sprachbund.signal.audio import AudioInfo


def test_recordings_are_known_or_have_a_problem(tmp_path: Path) -> None:
    good, empty, text, lost = (tmp_path / name for name in ("a.wav", "b.wav", "c.wav", "d.wav"))
    soundfile.write(good, np.zeros((80, 2)), 8000)
    soundfile.write(empty, np.zeros(0), 8000)
    text.write_text("no audio")
    inventory = Inventory("tiny")
    inventory.look([good, empty, text, lost, tmp_path])
    assert inventory.infos == {good: AudioInfo(8000, 2, 80)}
    assert inventory.problems == {empty: UNREADABLE, text: UNREADABLE, lost: MISSING, tmp_path: MISSING}


def test_every_header_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(40)]
    for path in paths[:30]:
        soundfile.write(path, np.zeros(80), 8000)
    read: list[Path] = []
    probe = module._probe
    monkeypatch.setattr(module, "_probe", lambda path: (read.append(path), probe(path))[1])
    inventory = Inventory("tiny")
    inventory.look(paths[:20])
    inventory.look([*paths, *paths])
    assert sorted(read) == sorted(paths)
    assert (len(inventory.infos), len(inventory.problems)) == (30, 10)


def test_a_bar_is_shown_where_it_is_wanted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(80), 8000)
    for progress in (False, True):
        Inventory("tiny", progress).look([tmp_path / "a.wav"])
        out, err = capfd.readouterr()
        assert (out, "tiny: recordings" in err) == ("", progress)
