from dataclasses import replace
from pathlib import Path
from typing import Any

import tiny
from sprachbund.data.checking.cuts import CutJudge, Manifest
from sprachbund.data.checking.items import Item, Part
from sprachbund.data.checking.labels import Labels
from sprachbund.data.checking.problems import Fault
from sprachbund.data.checking.rules import Rules
from sprachbund.data.checking.sounds import Sound

SOUNDS = {
    "a.wav": Sound(16000, 1, 32000, "a", 0.5, 0.0),
    "b.wav": Sound(damage=Fault("missing-audio", "no such file")),
    "quiet.wav": Sound(16000, 1, 32000, "q", 0.0009, 0.0),
    "loud.wav": Sound(16000, 2, 32000, "l", 1.0, 0.002),
    "header.wav": Sound(16000, 1, 32000),
}
DECLARED = (16000, 32000, 1)
PART = Part("a.wav", 0.5, 1.5, DECLARED)
PLAIN = Item(Path("m"), 1, "a", 1.0, (PART,), None, ("a cab",), None, None, None)


def kinds(*items: Item, rules: Rules | None = None, held_out: tuple[Item, ...] = (), judged: int = 1) -> list[str]:
    """The faults of the items, or of the held-out ones where `judged` is 0."""
    manifests = [Manifest(Path("h"), held_out, True), Manifest(Path("m"), items, False)]
    judge = CutJudge(rules or Rules(), manifests, SOUNDS)
    return [fault.kind for _, fault in judge.judge(manifests[judged])]


def changed(**changes: Any) -> Item:
    return replace(PLAIN, **changes)


def test_a_sound_cut_has_no_fault():
    assert kinds(PLAIN, changed(id="b")) == []


def of(path: str = "a.wav", end: float = 1.5, declared: tuple[int, int, int] | None = DECLARED) -> Item:
    """A cut of another part."""
    return changed(parts=(Part(path, 0.5, end, declared),))


def test_times():
    assert kinds(of(end=2.04)) == []  # within what encoders pad
    assert kinds(of(end=2.06)) == ["ends-after-recording"]
    assert kinds(of(end=2.06, declared=None)) == []
    assert kinds(changed(duration=1.2), rules=Rules(max_seconds=1.1)) == ["too-long"]
    assert kinds(rules=Rules(max_seconds=0.1), held_out=(PLAIN,), judged=0) == []


def test_recordings():
    assert kinds(changed(parts=(), foreign="url")) == ["no-recording"]
    assert kinds(changed(parts=())) == []  # silence
    # Of a recording that cannot be read nothing else is said.
    assert kinds(of("b.wav", end=99.0), rules=Rules(rate=8000)) == ["missing-audio"]
    assert kinds(PLAIN, rules=Rules(rate=8000)) == ["wrong-rate"]
    assert kinds(PLAIN, rules=Rules(rate=16000)) == []
    assert kinds(changed(parts=(PART, *of("b.wav").parts))) == ["missing-audio"]


def test_what_the_manifest_says_must_hold():
    for declared in ((8000, 32000, 1), (16000, 33000, 1), (16000, 31000, 1), (16000, 32000, 2)):
        assert kinds(of(declared=declared)) == ["not-as-declared"]
    assert kinds(of(declared=(16000, 32700, 1))) == []  # encoders pad
    assert kinds(of(declared=None)) == []


def test_warnings():
    assert kinds(of("quiet.wav")) == ["silent"]
    assert kinds(of("loud.wav", declared=(16000, 32000, 2))) == ["several-channels", "clipped"]
    assert kinds(of("header.wav")) == []


def test_ids_are_kept_by_the_held_out_sets():
    other = replace(PLAIN, parts=(), texts=("bead",))
    manifests = [Manifest(Path("h"), (other,), True), Manifest(Path("m"), (PLAIN, changed(id="b")), False)]
    judge = CutJudge(Rules(), manifests, SOUNDS)
    assert [[(item.id, fault.kind) for item, fault in judge.judge(each)] for each in manifests] == [
        [],
        [("a", "duplicate-id")],
    ]


def test_transcripts():
    assert kinds(changed(texts=())) == []  # speech for pre-training
    assert kinds(PLAIN, changed(id="b", texts=())) == ["no-transcript"]
    assert kinds(changed(texts=("a", "b"))) == ["no-transcript"]
    assert kinds(changed(texts=("",))) == ["empty-text"]


def test_held_out_sets_keep_what_they_share():
    other = replace(of("b.wav"), id="h", texts=("bead",))
    assert kinds(PLAIN, held_out=(PLAIN,)) == ["held-out-audio", "held-out-text"]
    assert kinds(PLAIN, held_out=(other,)) == []
    assert kinds(changed(texts=("BEAD!",)), held_out=(other,)) == ["held-out-text"]


def test_labels():
    labels = Labels(tiny.unit_model().fingerprint, 2.0, 100.0, 100, 0, 5)
    labelled = changed(labels=labels)
    assert kinds(labelled) == []
    assert kinds(labelled, changed(id="b")) == ["no-labels"]
    assert kinds(PLAIN, held_out=(changed(id="h", parts=(), texts=("x",), labels=labels),)) == []
    assert kinds(PLAIN, rules=Rules(units=tiny.unit_model())) == ["no-labels"]
    assert kinds(labelled, rules=Rules(units=tiny.unit_model(seed=1))) == ["other-unit-model"]
    assert kinds(labelled, rules=Rules(units=tiny.unit_model())) == []
    assert kinds(changed(labels=replace(labels, highest=6)), rules=Rules(units=tiny.unit_model())) == ["label-range"]
    # The end of the recording counts where it is known, and is that of the file.
    assert kinds(replace(of(declared=None), labels=replace(labels, end=9.0))) == []
    assert kinds(changed(labels=replace(labels, end=9.0))) == ["label-length"]


def test_the_unit_model_of_most_cuts_decides_across_manifests():
    one, two = Labels("one", 2.0, 100.0), Labels("two", 2.0, 100.0)
    held_out = (changed(id="h", labels=two, parts=()), changed(id="i", labels=two, parts=()))
    assert "other-unit-model" in kinds(changed(labels=one), held_out=held_out)
    assert "other-unit-model" not in kinds(changed(labels=one), held_out=held_out, judged=0)
