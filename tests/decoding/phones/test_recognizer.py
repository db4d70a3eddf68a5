import pytest
from lhotse import MonoCut, SupervisionSegment
from lhotse.supervision import AlignmentItem

import tiny
from decoding.phone_models import use_oracle, write_ctc_model, write_phone_model, write_spoken
from sprachbund.data.aligning.driver import align_cuts
from sprachbund.data.aligning.results import Outcome
from sprachbund.data.phones import DECODED, PHONE, items_of
from sprachbund.decoding.phones.recognizer import PhoneRecognizer
from sprachbund.errors import DataError, RecipeError


def aligned(*lines):
    """Cuts with these phones."""
    cuts = []
    for number, line in enumerate(lines):
        items = [AlignmentItem(phone, 0.1 * place, 0.1) for place, phone in enumerate(line.split())]
        said = SupervisionSegment(str(number), "recording", 0.0, 9.0, alignment={"phone": items})
        cuts.append(MonoCut(str(number), 0.0, 9.0, 0, supervisions=[said]))
    return tuple(cuts)


def tier(cut):
    return [(item.symbol, round(item.start / 0.02), round(item.end / 0.02)) for item in items_of(cut, PHONE)]


SAID = [("SIL", 3), ("K", 3), ("AE", 4), ("T", 3)]
FOUND = [("SIL", 0, 3), ("K", 3, 6), ("AE", 6, 10), ("T", 10, 13)]


def test_what_is_heard_is_decoded_and_marked(tmp_path, monkeypatch):
    use_oracle(monkeypatch)
    cuts = write_spoken(tmp_path, [(None, SAID), ("another text", SAID)])
    done = align_cuts(cuts, PhoneRecognizer(tmp_path, aligned("SIL K AE T SIL", "AE T")))
    assert done.outcomes == {Outcome.DECODED: 2}
    for cut in done.cuts:
        assert tier(cut) == FOUND
        assert cut.supervisions[0].custom[DECODED]


def test_a_phone_of_one_frame_is_a_slip(tmp_path, monkeypatch):
    use_oracle(monkeypatch)
    slip = [("K", 4), ("T", 1), ("AE", 4)]
    (cut,) = align_cuts(write_spoken(tmp_path, [(None, slip)]), PhoneRecognizer(tmp_path, aligned("K AE T"))).cuts
    assert [symbol for symbol, *_ in tier(cut)] == ["K", "AE"]


def test_ctc_tells_equal_phones_apart(tmp_path, monkeypatch):
    use_oracle(monkeypatch, is_ctc=True)
    heard = [("SIL", 2), ("K", 1), ("SIL", 4), ("K", 1), ("SIL", 20), ("T", 2)]
    (cut,) = align_cuts(write_spoken(tmp_path, [(None, heard)]), PhoneRecognizer(tmp_path)).cuts
    assert tier(cut) == [("SIL", 0, 2), ("K", 2, 5), ("K", 5, 8), ("SIL", 8, 28), ("T", 28, 30)]


def test_too_short_a_sound_is_told(tmp_path, monkeypatch):
    use_oracle(monkeypatch)
    done = align_cuts(write_spoken(tmp_path, [(None, [("K", 1)])]), PhoneRecognizer(tmp_path, aligned("K")))
    assert [one.finding.detail for one in done.judged] == ["too short to decode phones"]


@pytest.mark.slow
def test_processes_change_nothing(tmp_path):
    cuts = tiny.make_cuts(tmp_path, 20)
    known = PhoneRecognizer(write_phone_model(tmp_path / "model"), aligned("K AE T"))
    one, two = (align_cuts(cuts, known, jobs=jobs) for jobs in (1, 2))
    assert one.judged == two.judged
    assert one.outcomes == {Outcome.DECODED: 20}


def test_what_was_counted_is_in_the_fingerprint(tmp_path):
    known = PhoneRecognizer(write_phone_model(tmp_path / "model"), aligned("K AE T"))
    other = PhoneRecognizer(tmp_path / "model", aligned("K AE T", "T AE"))
    assert known.fingerprint != other.fingerprint


def test_alignments_belong_to_frame_classifiers(tmp_path):
    frames, ctc = write_phone_model(tmp_path / "frames"), write_ctc_model(tmp_path / "ctc")
    with pytest.raises(RecipeError, match=r"no alignments.*--aligned"):
        PhoneRecognizer(frames)
    with pytest.raises(RecipeError, match="Leave --aligned out"):
        PhoneRecognizer(ctc, aligned("K"))
    with pytest.raises(DataError, match="no cut has phones"):
        PhoneRecognizer(frames, ())
