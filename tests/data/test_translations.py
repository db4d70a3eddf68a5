from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, SupervisionSegment

import tiny
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.translations import translation_of, with_translations
from sprachbund.errors import DataError


def cut_of(custom: object = None, said: list[object] | None = None, name: str = "one") -> MonoCut:
    """A cut with custom fields, and with supervisions that have some."""
    said = [None] if said is None else said
    supervisions = [
        SupervisionSegment(f"{name}-{place}", "r", 0.0, 2.0, text="yes", language="en", speaker="eve", custom=fields)
        for place, fields in enumerate(said)
    ]
    return MonoCut(name, 0.0, 2.0, 0, supervisions=supervisions, custom=custom)


@pytest.mark.parametrize(
    ("cut", "wanted"),
    [
        (cut_of({"translations": {"de": " Ja,\n gern. ", "fr": "Oui."}}), "Ja, gern."),
        (cut_of(None, [{"translations": {"de": "Ja."}}]), "Ja."),
        (cut_of({"de": "Ja."}), "Ja."),
        (cut_of(None, [{"de": "Ja."}]), "Ja."),
        (cut_of({"translations": {"de": "Ja."}, "de": "Nein."}), "Ja."),
        (cut_of({"translations": {"de": "Ja."}}, [{"translations": {"de": "Ja."}}]), "Ja."),
        (cut_of({"translations": {"de": "Ja."}}, []), "Ja."),
        (cut_of({"translations": {"de": "  "}}), None),
        (cut_of({"translations": {"fr": "Oui."}}), None),
        (cut_of({"translations": "Ja."}), None),
        (cut_of(), None),
    ],
    ids=["cut", "said", "field", "field-of-said", "language-first", "twice", "silent", "blank", "other", "odd", "none"],
)
def test_a_translation_is_found_where_it_may_stand(cut: MonoCut, wanted: str | None):
    assert translation_of(cut, "de") == wanted


def test_what_cannot_be_one_translation_is_refused():
    with pytest.raises(DataError, match=r"more than one translation.*cut one"):
        translation_of(cut_of(None, [{"de": "Ja."}, {"de": "Nein."}]), "de")
    for custom in ({"translations": {"de": 3}}, {"de": ["Ja."]}):
        with pytest.raises(DataError, match=r"a translation is no text.*cut one"):
            translation_of(cut_of(custom), "de")


texts = st.text(alphabet="aü .\t\n", max_size=6)


@given(st.lists(st.none() | texts, min_size=1, max_size=8))
def test_cuts_are_kept_with_their_text_or_counted(said: list[str | None]):
    cuts = [
        cut_of({"translations": {"fr": "Oui."} if text is None else {"de": text}}, name=str(place))
        for place, text in enumerate(said)
    ]
    wanted = {str(place): " ".join(text.split()) for place, text in enumerate(said) if text and text.split()}
    if not wanted:
        with pytest.raises(DataError, match="no clip has a translation"):
            with_translations(cuts, "de", "here")
        return
    found = with_translations(cuts, "de", "here")
    assert {cut.id: transcript_of(cut) for cut in found.cuts} == wanted
    assert found.num_without == len(cuts) - len(wanted)
    (said_now,) = next(iter(found.cuts)).supervisions
    assert (said_now.language, said_now.speaker, said_now.start, said_now.duration) == ("de", "eve", 0.0, 2.0)
    # Those given are as they were.
    assert all(transcript_of(cut) == "yes" for cut in cuts)


def test_where_there_is_none_the_known_languages_are_told():
    cuts = [cut_of({"translations": {"fr": "Oui."}}), cut_of(None, [{"translations": {"it": "Sì."}}], "two")]
    with pytest.raises(DataError, match=r"no clip has a translation.*here.*de.*Known are: fr, it\."):
        with_translations(cuts, "de", "here")
    with pytest.raises(DataError, match="Give a manifest with translations"):
        with_translations([cut_of()], "de", "here")


def test_mixed_cuts_are_refused(tmp_path: Path):
    cuts = list(tiny.make_cuts(tmp_path, 2))
    for cut in cuts:
        cut.custom = {"translations": {"de": "Ja."}}
    with pytest.raises(DataError, match="a mix of cuts"):
        with_translations([cuts[0].append(cuts[1])], "de", "here")


def test_translated_cuts_can_be_written_and_read(tmp_path: Path):
    cuts = list(tiny.make_cuts(tmp_path, 3))
    for place, cut in enumerate(cuts):
        cut.custom = {"translations": {"de": f"Ä{place}"}}
    write_cuts(with_translations(CutSet.from_cuts(cuts), "de", "here").cuts, tmp_path / "de.jsonl.gz")
    assert [transcript_of(cut) for cut in read_cuts(tmp_path / "de.jsonl.gz")] == ["Ä0", "Ä1", "Ä2"]
