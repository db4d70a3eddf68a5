"""Cuts whose text is that of another language: what a recogniser reads and writes then is a translation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lhotse import CutSet, SupervisionSegment
from lhotse.cut import Cut
from lhotse.cut.data import DataCut
from lhotse.utils import fastcopy

from sprachbund.errors import DataError

FIELD = "translations"
"""The custom field of a cut or a supervision that holds language -> text."""


@dataclass(frozen=True)
class TranslatedCuts:
    """Those cuts of a manifest that have a translation."""

    cuts: CutSet  # the translation is their transcript
    num_without: int  # cuts left out


def translation_of(cut: Cut, target: str) -> str | None:
    """The text of a cut in another language, single-spaced; None where it has none.

    Args:
        cut: with a custom field `translations` (language -> text), or with a custom field that is such a text; the
            fields may also be those of its supervisions.
        target: the language, or the name of the field.

    Raises:
        DataError: what is there is no text, or several supervisions have one each.
    """
    owners = [cut, *cut.supervisions]
    texts = [text for owner in owners if (text := _text(getattr(owner, "custom", None) or {}, target, cut))]
    if len(set(texts)) > 1:
        mend = "Cut the recording by its supervisions first."
        raise DataError("a cut has more than one translation", where=f"cut {cut.id}", given=len(texts), mend=mend)
    return texts[0] if texts else None


def with_translations(cuts: Iterable[Cut], target: str, where: str) -> TranslatedCuts:
    """The cuts with their translations in the place of their transcripts.

    Args:
        cuts: as `translation_of` takes them.
        target: the language, or the name of the field.
        where: the place that errors name.

    Raises:
        DataError: no cut has a translation, or as `translation_of`.
    """
    kept, num_without, known = list[Cut](), 0, set[str]()
    for cut in cuts:
        text = translation_of(cut, target)
        if text is None:
            num_without += 1
            known |= _languages(cut)
        else:
            kept.append(_retold(cut, text, target))
    if not kept:
        mend = f"Known are: {', '.join(sorted(known))}." if known else "Give a manifest with translations."
        raise DataError("no clip has a translation into this language", where=where, given=target, mend=mend)
    return TranslatedCuts(CutSet.from_cuts(kept), num_without)


def _text(custom: Mapping[str, Any], target: str, cut: Cut) -> str | None:
    translations = custom.get(FIELD)
    found = translations[target] if isinstance(translations, Mapping) and target in translations else custom.get(target)
    if found is None:
        return None
    if not isinstance(found, str):
        mend = "Name a language of the field `translations`, or a field that holds text."
        raise DataError("a translation is no text", where=f"cut {cut.id}", given=f"{target}: {found!r:.40}", mend=mend)
    return " ".join(found.split()) or None


def _languages(cut: Cut) -> set[str]:
    fields = [(getattr(owner, "custom", None) or {}).get(FIELD) for owner in (cut, *cut.supervisions)]
    return {str(language) for field in fields if isinstance(field, Mapping) for language in field}


def _retold(cut: Cut, text: str, target: str) -> Cut:
    """The cut with one supervision, which says the text all along it."""
    if not isinstance(cut, DataCut):
        mend = "Save the mixed recordings as audio files first."
        raise DataError("a mix of cuts cannot be translated", where=f"cut {cut.id}", given=target, mend=mend)
    said = [supervision for supervision in cut.supervisions if supervision.text is not None]
    speaker = said[0].speaker if len(said) == 1 else None
    supervision = SupervisionSegment(
        id=cut.id,
        recording_id=cut.recording_id if cut.has_recording else cut.id,
        start=0.0,
        duration=cut.duration,
        channel=cut.channel,
        text=text,
        language=target,
        speaker=speaker,
    )
    retold: Cut = fastcopy(cut, supervisions=[supervision])
    return retold
