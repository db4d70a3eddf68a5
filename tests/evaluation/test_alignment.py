from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.evaluation.alignment import AlignedWords, align_words
from sprachbund.evaluation.error_rates import count_word_errors


def test_alignment_of_a_known_pair():
    assert align_words("the cat sat  down", "the hat sat") == (
        AlignedWords("equal", "the", "the"),
        AlignedWords("substitute", "cat", "hat"),
        AlignedWords("equal", "sat", "sat"),
        AlignedWords("delete", "down", ""),
    )
    assert align_words("", "oh no") == (AlignedWords("insert", "", "oh no"),)
    assert align_words("", "") == ()


@settings(deadline=None, max_examples=80)
@given(reference=st.text(alphabet="ab ", max_size=12), hypothesis=st.text(alphabet="ab ", max_size=12))
def test_the_alignment_holds_every_word_once_and_as_many_errors_as_are_counted(reference, hypothesis):
    runs = align_words(reference, hypothesis)
    assert " ".join(run.reference for run in runs if run.reference).split() == reference.split()
    assert " ".join(run.hypothesis for run in runs if run.hypothesis).split() == hypothesis.split()
    edits = sum(max(len(run.reference.split()), len(run.hypothesis.split())) for run in runs if run.kind != "equal")
    assert edits == count_word_errors(reference, hypothesis).errors
