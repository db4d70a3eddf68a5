from pathlib import Path

import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

from data.phonemes.spelling import reading
from sprachbund.data.phonemes.cuts import NO_TRANSCRIPT, OTHER_LANGUAGE, phone_tokenizer, phonemize_cuts
from sprachbund.data.phonemes.espeak import EspeakReading
from sprachbund.data.phonemes.reading import NO_KNOWN_WORD
from sprachbund.data.text.blocks import Rejected
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, UNK


def cut_of(name: str, *texts: str | None, language: str | None = "en") -> MonoCut:
    said = [
        SupervisionSegment(f"{name}-{number}", name, float(number), 1.0, text=text, language=language, speaker="x")
        for number, text in enumerate(texts)
    ]
    recording = Recording(name, [], 16_000, 48_000, 3.0)
    return MonoCut(name, 0.0, 3.0, 0, recording=recording, supervisions=said)


CUTS = [
    cut_of("plain", "The cat."),
    cut_of("bare"),
    cut_of("german", "die Katze", language="de-DE"),
    cut_of("two", "a cat", "sat", language=None),
    cut_of("names", "the cat", "Zorg!"),
    cut_of("silent", None),
]


def test_transcripts_become_phones_and_nothing_is_lost(tmp_path: Path) -> None:
    done = phonemize_cuts(CutSet.from_cuts(CUTS), reading(tmp_path))
    texts = {cut.id: [said.text for said in cut.supervisions] for cut in done.cuts}
    assert texts == {"plain": ["DH AH K AE T"], "two": ["AH K AE T", "S AE T"]}
    assert dict(done.rejected) == {
        "bare": Rejected(NO_TRANSCRIPT),
        "german": Rejected(OTHER_LANGUAGE, "de-DE"),
        "names": Rejected(NO_KNOWN_WORD),
        "silent": Rejected(NO_TRANSCRIPT),
    }
    assert done.counts() == {NO_TRANSCRIPT: 2, OTHER_LANGUAGE: 1, NO_KNOWN_WORD: 1}
    kept = next(iter(done.cuts))
    assert kept.supervisions[0].speaker == "x"
    assert kept.recording == CUTS[0].recording


@pytest.mark.parametrize("places", [False, True])
def test_the_tokenizer_knows_every_phone(tmp_path: Path, places: bool) -> None:
    english = reading(tmp_path, word_places=places)
    done = phonemize_cuts(CutSet.from_cuts(CUTS), english)
    tokenizer = phone_tokenizer(english, done.cuts)
    assert tokenizer.vocabulary == english.vocabulary.with_symbols(*ADDED_SYMBOLS)
    for cut in done.cuts:
        assert UNK not in tokenizer.encode(cut.supervisions[0].text or "")


def test_symbols_of_other_languages_are_those_that_occur() -> None:
    german = EspeakReading(language="de")
    done = phonemize_cuts(CutSet.from_cuts(CUTS[2:3]), german)
    text = next(iter(done.cuts)).supervisions[0].text
    assert text is not None
    assert text.split()[-4:] == ["k", "a", "ts", "ə"]
    assert sorted(phone_tokenizer(german, done.cuts).vocabulary.symbols[4:-2]) == sorted(set(text.split()))
