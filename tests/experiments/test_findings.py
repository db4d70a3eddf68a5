import tiny
from sprachbund.experiments.findings import _as_ogg, _minutes, _typical
from sprachbund.signal.audio import read_audio


def test_a_typical_clip_is_the_middle_one(tmp_path):
    cuts = sorted(tiny.make_cuts(tmp_path, 5), key=lambda cut: cut.duration)
    assert _typical(cuts[::-1]).id == cuts[2].id


def test_players_hold_the_clip(tmp_path):
    cut = next(iter(tiny.make_cuts(tmp_path, 1)))
    assert abs(len(read_audio(_as_ogg(cut))) - cut.duration * 16000) <= 1
    assert _minutes([cut, cut]) == cut.duration / 30
