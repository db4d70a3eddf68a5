import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny
from decoding.phone_models import WAYS, use_oracle, use_small_lexicon, write_phone_model, write_spoken
from sprachbund.data.aligning.driver import align_cuts
from sprachbund.data.aligning.results import Outcome
from sprachbund.data.phones import PHONE, SCORE, WORD, items_of
from sprachbund.decoding.phones.aligner import PhoneModelAligner
from sprachbund.errors import CheckpointError


@st.composite
def utterances(draw):
    """Words, and their phones in frames with pauses between them; the truth that is to be found."""
    words = draw(st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=4))
    ways = [draw(st.sampled_from(WAYS[word])).split() for word in words]
    pieces, spans = [("SIL", draw(st.integers(1, 3)))] * draw(st.booleans()), []
    for word, way, after in itertools.zip_longest(words, ways, ways[1:]):
        first = sum(frames for _, frames in pieces)
        pieces += [(phone, draw(st.integers(1, 4))) for phone in way]
        spans.append((word, first, sum(frames for _, frames in pieces)))
        # Nobody can tell where the first of two equal phones ends.
        if pause := draw(st.integers(int(after is not None and after[0] == way[-1]), 3)):
            pieces.append(("SIL", pause))
    return " ".join(words), pieces, spans


def tier(cut, name):
    return [(item.symbol, round(item.start / 0.02), round(item.end / 0.02)) for item in items_of(cut, name)]


def spans_of(pieces):
    ends = np.cumsum([frames for _, frames in pieces]).tolist()
    return [(symbol, end - frames, end) for (symbol, frames), end in zip(pieces, ends, strict=True)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(utterance=utterances())
def test_what_is_said_is_found_where_it_is(utterance, tmp_path, monkeypatch):
    use_oracle(monkeypatch)
    text, pieces, words = utterance
    done = align_cuts(write_spoken(tmp_path, [(text, pieces)]), PhoneModelAligner(tmp_path))
    assert done.outcomes == {Outcome.ALIGNED: 1}
    (cut,) = done.cuts
    assert tier(cut, WORD) == words
    assert tier(cut, PHONE) == spans_of(pieces)
    # Hardly anything is better than the truth.
    assert cut.supervisions[0].custom[SCORE] == pytest.approx(0.0, abs=1e-3)


def test_outcomes_are_told_one_by_one(tmp_path, monkeypatch):
    use_oracle(monkeypatch)
    cat = [("K", 3), ("AE", 3), ("T", 3)]
    clips = [
        ("cat", cat),
        ("The CAT, a cat!", cat),  # seven phones in nine frames: possible, but unlikely
        ("the cat the cat the cat", cat),
        ("", cat),
        (None, cat),
        ("猫", cat),
        ("zqxv", cat),
        ("the zqxv", [("DH", 2), ("AH", 2), *cat]),
    ]
    done = align_cuts(write_spoken(tmp_path, clips), PhoneModelAligner(tmp_path))
    outcomes = [one.finding.outcome for one in done.judged]
    assert outcomes[:7] == [
        Outcome.ALIGNED,
        Outcome.ALIGNED,
        Outcome.NOT_ALIGNABLE,
        Outcome.NO_TRANSCRIPT,
        Outcome.NO_TRANSCRIPT,
        Outcome.NOT_ENGLISH,
        Outcome.NO_KNOWN_WORD,
    ]
    assert done.judged[1].finding.score < done.judged[0].finding.score - 1
    assert done.judged[2].finding.detail == "9 frames for 6 words"
    assert done.judged[7].finding.guessed_words == ("zqxv",)


def test_phones_are_named_with_their_places_where_that_is_wanted(tmp_path, monkeypatch):
    use_oracle(monkeypatch)
    cuts = write_spoken(tmp_path, [("a cat", [("AH", 2), ("SIL", 2), ("K", 3), ("AE", 3), ("T", 3)])])
    plain, placed = PhoneModelAligner(tmp_path), PhoneModelAligner(tmp_path, has_places=True)
    (cut,) = align_cuts(cuts, placed).cuts
    assert [symbol for symbol, *_ in tier(cut, PHONE)] == ["AH_S", "SIL", "K_B", "AE_I", "T_E"]
    assert plain.fingerprint != placed.fingerprint


def test_ctc_divides_blanks_between_phones(tmp_path, monkeypatch):
    use_oracle(monkeypatch, is_ctc=True)
    heard = [("SIL", 4), ("K", 1), ("SIL", 4), ("AE", 1), ("SIL", 2), ("T", 1), ("SIL", 30), ("AH", 1), ("SIL", 5)]
    (cut,) = align_cuts(write_spoken(tmp_path, [("cat a", heard)]), PhoneModelAligner(tmp_path)).cuts
    assert tier(cut, WORD) == [("cat", 4, 13), ("a", 43, 44)]
    assert tier(cut, PHONE) == [
        *(("SIL", 0, 4), ("K", 4, 7), ("AE", 7, 11), ("T", 11, 13)),
        *(("SIL", 13, 43), ("AH", 43, 44), ("SIL", 44, 49)),
    ]


@pytest.mark.parametrize("places", [False, True])
def test_times_stay_inside_and_neighbours_change_nothing(tmp_path, monkeypatch, places):
    use_small_lexicon(monkeypatch)
    aligner = PhoneModelAligner(write_phone_model(tmp_path / "model", places=places))
    cuts = write_spoken(tmp_path, [("a cat", [("AH", 20 + number), ("T", 9)]) for number in range(3)])
    done = align_cuts(cuts, aligner)
    assert done.outcomes == {Outcome.ALIGNED: 3}
    for cut in done.cuts:
        items = items_of(cut, PHONE)
        assert items[0].start == 0
        assert all(first.end == pytest.approx(second.start) for first, second in itertools.pairwise(items))
        assert items[-1].end <= cut.duration
    alone = [align_cuts(cuts.subset(cut_ids=[cut.id]), aligner).judged[0] for cut in cuts]
    assert tuple(alone) == done.judged


@pytest.mark.slow
def test_processes_change_nothing(tmp_path):
    aligner = PhoneModelAligner(write_phone_model(tmp_path / "model"))
    cuts = tiny.make_cuts(tmp_path, 20)
    assert align_cuts(cuts, aligner, jobs=2).judged == align_cuts(cuts, aligner).judged


def test_weights_are_in_the_fingerprint(tmp_path, monkeypatch):
    use_small_lexicon(monkeypatch)
    first, second = (PhoneModelAligner(write_phone_model(tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    assert first.fingerprint != second.fingerprint
    with pytest.raises(CheckpointError, match="does not tell phones"):
        PhoneModelAligner(tiny.write_hubert_folder(tmp_path / "units"))
