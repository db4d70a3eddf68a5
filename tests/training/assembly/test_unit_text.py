from pathlib import Path
from typing import Any

import pytest

import speech_units
import tiny
from line_work import write_units
from sprachbund.config import from_mapping
from sprachbund.data.phonemes.lines import Drawing
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.blocks import SETTINGS
from sprachbund.data.text.fields import IdsField, TextField
from sprachbund.data.text.memory import TOKENS, UNITS, IdLines
from sprachbund.data.text.writer import new_store
from sprachbund.data.units import load_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.tokens.phone_durations import PhoneDurations
from sprachbund.tokens.phone_labels import PhoneLabels
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.tokens.reduction import reduced
from sprachbund.training.assembly.unit_text import first_items, pairs_of, spoken_units, unit_source, units_alone
from sprachbund.training.unit_recipes import MonoConfig, PairedTextConfig

MODEL = tiny.unit_model()


def write_tokenizer(folder: Path) -> Path:
    tiny.character_tokenizer().save(folder / "tokenizer")
    return folder / "tokenizer"


def write_phones(
    folder: Path, lines: list[str], *, durations: PhoneDurations | None = None, places: bool = False, told: bool = True
) -> Path:
    """A store as `tokens phonemes` writes it: phones of a line, and as text a letter."""
    vocabulary = phone_vocabulary(places=places)
    facts: dict[str, Any] = {SETTINGS: {"work": dict(Drawing(durations=durations).settings())}} if told else {}
    with new_store(folder, {"phones": IdsField.of_symbols(vocabulary), "text": TextField()}, facts) as store:
        for line in lines:
            store.add({"phones": vocabulary.ids_of(line.split()), "text": "a"})
    return folder


def values(lines: IdLines, name: str = UNITS) -> list[list[int]]:
    return [lines.tokens(name, number).tolist() for number in range(len(lines))]


def test_pairs_that_cannot_be_learned_from_are_counted_and_left_out(tmp_path: Path) -> None:
    """CTC needs a unit for every token; what is left is what a careful reader would keep."""
    pairs = [([1, 2, 3, 4], "cab"), ([1, 2], "cab"), ([], "a"), ([0] * 20, "a"), ([1, 2], ""), ([5, 5, 5], "ab")]
    one, other = (
        write_units(tmp_path / name, part, fingerprint=MODEL.fingerprint)
        for name, part in (("one", pairs[:3]), ("other", pairs[3:]))
    )
    told: list[str] = []
    config = PairedTextConfig(train=(), max_units=10)
    lines = pairs_of((one, other), config, MODEL, write_tokenizer(tmp_path), told.append, jobs=1)
    assert values(lines) == [[5, 6, 7, 8], [9, 9, 9]]
    tokenizer = tiny.character_tokenizer()
    assert values(lines, TOKENS) == [tokenizer.encode("cab"), tokenizer.encode("ab")]
    assert sorted(told) == [
        "1 pairs of units and text are left out: fewer units than tokens of text.",
        "1 pairs of units and text are left out: longer than 10 units.",
        "2 pairs of units and text are left out: empty.",
    ]
    with pytest.raises(DataError, match="none of the pairs of units and text is left"):
        pairs_of((one,), PairedTextConfig(train=(), max_units=3), MODEL, tmp_path / "tokenizer", told.append, jobs=1)


def test_units_of_another_model_rate_or_form_are_refused(tmp_path: Path) -> None:
    def source(name: str, fingerprint: str, is_reduced: bool, wants_reduced: bool) -> None:
        store = write_units(tmp_path / name, [([1, 2], "a")], fingerprint=fingerprint, is_reduced=is_reduced)
        unit_source(store, MODEL, wants_reduced, print).found()

    source("same", MODEL.fingerprint, False, False)
    source("reduced", MODEL.fingerprint, True, True)
    with pytest.raises(VocabularyError, match="made by something else"):
        source("other", tiny.unit_model(seed=1).fingerprint, False, False)
    with pytest.raises(VocabularyError, match=r"another rate than those of speech .*every 2th unit of 100 a second"):
        source("half", f"{MODEL.fingerprint}/2", False, False)
    with pytest.raises(VocabularyError, match="these are reduced units"):
        source("wrong", MODEL.fingerprint, True, False)
    with pytest.raises(VocabularyError, match="the training wants reduced units"):
        source("whole", MODEL.fingerprint, False, True)
    with pytest.raises(DataError, match="no such field"):
        unit_source(write_phones(tmp_path / "phones", ["AA"]), MODEL, False, print)


@pytest.mark.parametrize("rate", [50, 100])
@pytest.mark.parametrize("places", [False, True])
def test_phones_of_text_are_those_of_speech_by_their_symbols(tmp_path: Path, rate: int, places: bool) -> None:
    labels = PhoneLabels(has_places=places, rate=rate, aligner="one")
    mark = "_B" if places else ""
    durations = PhoneDurations(frame_shift=1 / rate)
    store = write_phones(tmp_path / "phones", [f"SIL SIL AA{mark} ZH{mark}"], durations=durations, places=places)
    told: list[str] = []
    lines = pairs_of((store,), PairedTextConfig(train=()), labels, write_tokenizer(tmp_path), told.append, jobs=1)
    # What a frame of speech with the same phone is labelled with, as an id of the dictionary.
    assert values(lines) == [[4 + labels.id_of(symbol) for symbol in ("SIL", "SIL", f"AA{mark}", f"ZH{mark}")]]
    assert told == []


def test_phones_that_are_not_those_of_speech_are_refused(tmp_path: Path) -> None:
    labels, drawn = PhoneLabels(rate=50), PhoneDurations(frame_shift=0.02)
    with pytest.raises(VocabularyError, match=r"not those of speech .*not in text: AA, .*not in speech: AA_B"):
        unit_source(write_phones(tmp_path / "places", ["AA_B"], durations=drawn, places=True), labels, False, print)
    with pytest.raises(VocabularyError, match=r"another rate than those of speech .*100 a second, speech has 50"):
        unit_source(write_phones(tmp_path / "rate", ["AA"], durations=PhoneDurations()), labels, False, print)
    once = write_phones(tmp_path / "once", ["AA"])
    with pytest.raises(VocabularyError, match="phones of text stand once"):
        unit_source(once, labels, False, print)
    unit_source(once, labels, True, print)
    with pytest.raises(VocabularyError, match="are to be reduced"):
        unit_source(write_phones(tmp_path / "drawn", ["AA"], durations=drawn), labels, True, print)
    with pytest.raises(DataError, match="no such field"):
        unit_source(speech_units.write_store(tmp_path / "units", MODEL), labels, False, print)


def test_a_store_that_does_not_tell_how_phones_are_drawn_out_is_taken_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    unit_source(write_phones(tmp_path / "phones", ["AA"], told=False), PhoneLabels(), False, told.append)
    assert len(told) == 1 and "does not tell how its phones are drawn out" in told[0]


@pytest.mark.parametrize("is_reduced", [False, True])
def test_units_alone_are_those_of_speech_and_of_text(tmp_path: Path, is_reduced: bool) -> None:
    manifest = tiny.write_corpus(tmp_path / "speech", 3, units=MODEL)
    store = speech_units.write_store(tmp_path / "text", MODEL, ["ab", "c"], reduced=is_reduced)
    config = from_mapping(MonoConfig, {"speech": [str(manifest)], "text": [str(store)], "reduced": is_reduced}, "test")
    speech, text = units_alone(config, MODEL, print, jobs=1)
    heard = [load_units(cut, MODEL.fingerprint) for cut in read_cuts(manifest)]
    assert values(speech) == [((reduced(units).units if is_reduced else units) + 4).tolist() for units in heard]
    written = speech_units.unit_pairs(["ab", "c"], reduced=is_reduced)
    written = speech_units.unit_pairs(["ab", "c"], reduced=is_reduced)
    assert values(text) == [[unit + 4 for unit in units] for units, _ in written]
    assert values(spoken_units(str(manifest), config, MODEL).lines) == values(speech)
    assert values(first_items(speech, (UNITS,), 2)) == values(speech)[:2]
    assert len(first_items(text, (UNITS,), 5)) == 2


def test_units_of_speech_of_another_model_are_refused(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "speech", 2, units=tiny.unit_model(seed=1))
    with pytest.raises(VocabularyError, match="another unit model"):
        units_alone(MonoConfig(speech=(str(manifest),)), MODEL, print, jobs=1)
