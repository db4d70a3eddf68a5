import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sprachbund.data.phones import PHONE, items_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import DataError
from sprachbund.evaluation import espeak_speech
from sprachbund.evaluation.espeak_speech import say, speak_sentences
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phones import PHONES, SILENCE

pytest.importorskip("espeakng_loader", reason="needs the extra espeak")


@pytest.mark.parametrize("voice", ["en-us", "en+m3"])
def test_phones_fill_the_sound(voice: str) -> None:
    spoken = say("The judge said: she sees six thick things.", voice, 160)
    assert spoken.phones[0].start == 0
    assert all(one.end == pytest.approx(other.start, abs=1e-6) for one, other in pairwise(spoken.phones))
    assert spoken.phones[-1].end == pytest.approx(len(spoken.waveform) / SAMPLING_RATE, abs=1e-3)
    symbols = [item.symbol for item in spoken.phones if item.symbol != SILENCE]
    assert [symbol for symbol in symbols if symbol in ("JH", "SH", "S", "Z", "TH", "DH")] == [
        "DH", "JH", "JH", "S", "SH", "S", "Z", "S", "S", "TH", "TH", "Z",
    ]  # fmt: skip


def test_a_hiss_is_where_it_is_said_to_be() -> None:
    """The times belong to the sound, not to some other clock."""
    spoken = say("See. Say. So.", "en-us", 130)
    energy = np.abs(np.diff(spoken.waveform, 3))  # high frequencies
    hisses = [item for item in spoken.phones if item.symbol == "S"]
    assert len(hisses) == 3
    for item in hisses:
        first, last = round(item.start * SAMPLING_RATE), round(item.end * SAMPLING_RATE)
        middle = energy[first + 400 : last - 400]
        around = np.concatenate([energy[max(0, first - 1600) : max(0, first - 400)], energy[last + 400 : last + 1600]])
        assert len(middle) > 400
        assert middle.mean() > 2 * around.mean()


def test_speed_and_voice_change_the_sound() -> None:
    slow, fast = (say("A quiet life.", "en-us", rate) for rate in (100, 250))
    assert len(slow.waveform) > 1.5 * len(fast.waveform)
    assert [item.symbol for item in slow.phones if item.symbol != SILENCE] == [
        item.symbol for item in fast.phones if item.symbol != SILENCE
    ]


def test_sentences_become_cuts_with_true_phones(tmp_path: Path) -> None:
    cuts = speak_sentences(tmp_path, ["Good morning.", "No."], ["en-us", "en"])
    assert len(cuts) == 4
    for cut in cuts:
        assert len(read_waveform(cut)) == round(cut.duration * SAMPLING_RATE)
        phones = items_of(cut, PHONE)
        assert sum(item.duration for item in phones) == pytest.approx(cut.duration, abs=1e-3)
        assert cut.supervisions[0].text in ("Good morning.", "No.")
    assert {cut.supervisions[0].speaker for cut in cuts} == {"en-us", "en"}


def test_all_names_are_phones() -> None:
    assert set(espeak_speech.ARPABET.values()) <= set(PHONES)


def test_a_voice_that_is_not_there_is_told() -> None:
    with pytest.raises(DataError, match="no such voice"):
        say("No.", "martian", 160)


def test_a_missing_package_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak_speech._library.cache_clear()
    with pytest.raises(DataError, match=r"pip install 'sprachbund\[espeak\]'"):
        say("No.", "en-us", 160)
    espeak_speech._library.cache_clear()
