from sprachbund.decoding.recognition.transcript import Alternative, Transcript
from sprachbund.decoding.times.timestamps import WordTime


def test_what_was_not_asked_for_is_not_there():
    transcript = Transcript("a bad cab", -1.5, 0.5, 20)
    assert (transcript.words, transcript.confidence, transcript.alternatives) == (None, None, ())


def test_equal_transcripts_are_equal_and_can_be_counted():
    def make() -> Transcript:
        alternatives = (Alternative("a", -1.0, {"ctc": -2.0}), Alternative("b", -3.0))
        return Transcript("a", -1.0, 0.5, 20, (WordTime("a", 0.1, 0.2, 0.9),), 0.9, alternatives)

    assert make() == make()
    assert len({make(), make()}) == 1
    assert make() != Transcript("a", -1.0, 0.5, 20)
