import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import MonoCut, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.errors import DataError
from sprachbund.evaluation.phone_errors import difference, phone_errors

PHONES = st.lists(st.sampled_from(["AA", "B", "SIL", "K"]), max_size=6)


def cut(identity, phones):
    items = [AlignmentItem(phone, float(number), 1.0) for number, phone in enumerate(phones)]
    said = SupervisionSegment(identity, "recording", 0.0, 50.0, alignment={"phone": items} if items else None)
    return MonoCut(identity, 0.0, 50.0, 0, supervisions=[said])


def cuts(lines):
    return [cut(str(number), line) for number, line in enumerate(lines)]


@settings(deadline=None)
@given(st.lists(st.tuples(PHONES, PHONES), min_size=1, max_size=4))
def test_edits_add_up_and_silence_does_not_count(pairs):
    wanted, heard = zip(*pairs, strict=True)
    if not any(wanted):
        return
    found = phone_errors(cuts(wanted), cuts(heard))
    assert found.substitutions + found.insertions + found.deletions == found.rate.errors
    judged = [line for line in wanted if line]
    assert found.rate.length == sum(phone != "SIL" for line in judged for phone in line)
    assert len(found.cuts) + found.without_reference == len(wanted)
    without = [[phone for phone in line if phone != "SIL"] for line in heard]
    assert phone_errors(cuts(wanted), cuts(without)).counts == found.counts
    assert phone_errors(cuts(wanted), cuts(wanted)).rate.errors == 0


def test_stress_and_word_places_are_no_errors_and_the_order_does_not_matter():
    wanted = cuts([["AA1_B", "K_E"], ["SIL", "B"]])
    heard = cuts([["AA", "K"], ["B", "SPN", "AA"]])
    found = phone_errors(wanted, heard[::-1])
    assert (found.substitutions, found.insertions, found.deletions) == (0, 1, 0)
    assert found.rate.rate == pytest.approx(1 / 3)


def test_what_was_not_decoded_is_missing_not_left_out():
    found = phone_errors(cuts([["AA", "K"], ["B"]]), cuts([["AA", "K"], []]))
    assert (found.deletions, found.without_decoding) == (1, 1)


def test_cuts_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="cut 1"):
        phone_errors(cuts([["AA"], ["B"]]), cuts([["AA"]]))
    with pytest.raises(DataError, match="no cut has phones"):
        phone_errors(cuts([[]]), cuts([["AA"]]))


def test_two_decodings_are_compared_in_pairs():
    wanted = cuts([["AA", "K"]] * 30)
    good, bad = phone_errors(wanted, cuts([["AA", "K"]] * 30)), phone_errors(wanted, cuts([["AA"]] * 30))
    assert difference(bad, good).difference == pytest.approx(0.5)
    assert difference(bad, good).is_shown
    assert not difference(good, good).is_shown
    with pytest.raises(DataError, match="not of the same cuts"):
        difference(good, phone_errors(wanted[1:], wanted))
