import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import MonoCut, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.decoding.phones.phonotactics import Phonotactics
from sprachbund.errors import DataError

SYMBOLS = ("SIL", "SPN", "AA", "B")


def cut(*phones, identity="one"):
    items = [AlignmentItem(phone, float(number), 1.0) for number, phone in enumerate(phones)]
    said = SupervisionSegment(identity, "recording", 0.0, 100.0, alignment={"phone": items} if items else None)
    return MonoCut(identity, 0.0, 100.0, 0, supervisions=[said])


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(SYMBOLS), max_size=6), min_size=1, max_size=4))
def test_probabilities_add_up_and_none_is_zero(lines):
    if not any(lines):
        return
    found = Phonotactics.of([cut(*line, identity=str(number)) for number, line in enumerate(lines)], SYMBOLS)
    after = np.concatenate([found.following, found.last[:, None]], axis=1)
    np.testing.assert_allclose(np.exp(after).sum(axis=1), 1.0)
    assert np.exp(found.first).sum() < 1.0  # something is left for what cannot be: an utterance without phones
    assert np.isfinite(after).all()
    np.testing.assert_allclose(np.exp(found.share).sum(), 1.0)


def test_what_was_heard_is_likelier():
    cuts = [cut("SIL", "AA0", "B", "B", "SIL"), cut("B", "AA", identity="two"), cut(identity="without")]
    found = Phonotactics.of(cuts, SYMBOLS)
    place = {symbol: number for number, symbol in enumerate(SYMBOLS)}
    assert found.following[place["B"], place["SIL"]] > found.following[place["B"], place["SPN"]]
    assert found.first[place["B"]] == pytest.approx(found.first[place["SIL"]], abs=0.2)
    assert found.first[place["B"]] > found.first[place["AA"]]
    assert found.last[place["AA"]] > found.last[place["B"]]
    # Seven phones of a second each, B three times, though two of them count as one neighbour; a second for SPN.
    assert np.exp(found.share[place["B"]]) == pytest.approx(3 / 8)
    assert np.exp(found.share[place["SPN"]]) == pytest.approx(1 / 8)


def test_word_places_are_dropped_where_the_symbols_have_none():
    placed, plain = (Phonotactics.of([cut(*line)], SYMBOLS) for line in (("B_B", "AA_E"), ("B", "AA")))
    np.testing.assert_array_equal(placed.following, plain.following)
    kept = Phonotactics.of([cut("SIL", "B_B", "AA_E")], ("SIL", "B_B", "AA_E"))
    assert kept.following.argmax(axis=1).tolist()[:2] == [1, 2]


def test_foreign_phones_and_cuts_without_any_are_refused():
    with pytest.raises(DataError, match=r"none of the model's .*one"):
        Phonotactics.of([cut("AA", "XX")], SYMBOLS)
    with pytest.raises(DataError, match="no cut has phones"):
        Phonotactics.of([cut()], SYMBOLS)
