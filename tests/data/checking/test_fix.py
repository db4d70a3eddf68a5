"""The law of the check: of a sound corpus that is damaged in known ways, exactly these are found, and dropped."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from commands import fingerprints
from sprachbund.data.checking.check import Inputs, check
from sprachbund.data.checking.fix import dropped_list, plan_targets, write_fixed
from sprachbund.data.checking.rules import Rules
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import DataError

RATE = 16_000
NUM_CLIPS = 8
Record = dict[str, Any]
RULES = Rules(
    rate=RATE, max_seconds=2.0, max_characters=30, tokenizer=tiny.character_tokenizer(), units=tiny.unit_model()
)


class World:
    """A sound corpus: records of train and of dev, with absolute paths, and a folder for damaged files."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.folder = folder
        self.train, self.dev = (self._records(home / f"{name}.jsonl.gz", home) for name in ("train", "dev"))
        for record, text in zip(self.dev, ("face a cab", "fed a bee"), strict=True):
            record["supervisions"][0]["text"] = text
        self.audio = iter(range(1000))

    @staticmethod
    def _records(path: Path, home: Path) -> list[Record]:
        records: list[Record] = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        for record in records:
            source = record["recording"]["sources"][0]
            source["source"] = str(home / source["source"])
            if units := record.get("custom", {}).get("units"):
                units["array"]["storage_path"] = str(home / units["array"]["storage_path"])
        return records

    def write(self, lines: list[Record | str]) -> Inputs:
        """The manifests of this world."""
        for name, content in (("train", lines), ("dev", self.dev)):
            text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in content)
            (self.folder / f"{name}.jsonl").write_text(text)
        return Inputs(manifests=[self.folder / "train.jsonl"], held_out=[self.folder / "dev.jsonl"])

    def new_file(self, suffix: str) -> Path:
        """A path that nothing else uses."""
        return self.folder / f"new-{next(self.audio)}{suffix}"


def set_source(record: Record, path: Path) -> None:
    record["recording"]["sources"][0]["source"] = str(path)


def set_sound(record: Record, path: Path, samples: int, rate: int = RATE) -> None:
    """Declare another recording, without labels."""
    set_source(record, path)
    seconds = samples / rate
    record["recording"] |= {"num_samples": samples, "sampling_rate": rate, "duration": seconds}
    record["duration"] = seconds
    record["supervisions"][0]["duration"] = seconds
    del record["custom"]


def set_text(text: str) -> Callable[[World, Record], None]:
    return lambda world, record: record["supervisions"][0].update(text=text)


def set_times(**times: float) -> Callable[[World, Record], None]:
    return lambda world, record: record.update(times)


def set_units(units: np.ndarray) -> Callable[[World, Record], None]:
    def change(world: World, record: Record) -> None:
        path = world.new_file(".npy")
        np.save(path, units)
        record["custom"]["units"]["array"] |= {"storage_path": str(path.parent), "storage_key": path.name}

    return change


def damaged_audio(content: Callable[[bytes], bytes], suffix: str) -> Callable[[World, Record], None]:
    def change(world: World, record: Record) -> None:
        samples, _ = soundfile.read(record["recording"]["sources"][0]["source"], dtype="int16")
        path = world.new_file(suffix)
        soundfile.write(path, samples, RATE)
        path.write_bytes(content(path.read_bytes()))
        set_source(record, path)

    return change


def new_sound(num_samples: int, rate: int) -> Callable[[World, Record], None]:
    def change(world: World, record: Record) -> None:
        path = world.new_file(".wav")
        soundfile.write(path, tiny.tone(num_samples, 77), rate)
        set_sound(record, path, num_samples, rate)

    return change


def held_out_sound(world: World, record: Record) -> None:
    """Under another name and in another container."""
    samples, rate = soundfile.read(world.dev[0]["recording"]["sources"][0]["source"], dtype="int16")
    path = world.new_file(".flac")
    soundfile.write(path, samples, rate)
    set_sound(record, path, len(samples))


def no_units(world: World, record: Record) -> None:
    del record["custom"]


def two_texts(world: World, record: Record) -> None:
    record["supervisions"].append(record["supervisions"][0])


# What is done to a cut -> the kinds that tell it.
DAMAGES: dict[str, tuple[Callable[[World, Record], object], set[str]]] = {
    "no times": (set_times(duration=0.0), {"bad-times"}),
    "times before the start": (set_times(start=-0.5), {"bad-times"}),
    "times no number": (set_times(duration=float("nan")), {"bad-times"}),
    "no file": (lambda world, record: set_source(record, world.new_file(".wav")), {"missing-audio"}),
    "flac cut short": (damaged_audio(lambda content: content[: len(content) // 2], ".flac"), {"unreadable-audio"}),
    "wav cut short": (damaged_audio(lambda content: content[:-4000], ".wav"), {"unreadable-audio"}),
    "empty file": (damaged_audio(lambda content: b"", ".wav"), {"unreadable-audio"}),
    "rate": (new_sound(8000, 8000), {"wrong-rate", "no-labels"}),
    "long": (new_sound(40_000, RATE), {"too-long", "no-labels"}),
    "declared rate": (lambda world, record: record["recording"].update(sampling_rate=44100), {"not-as-declared"}),
    "declared length": (lambda world, record: record["recording"].update(num_samples=99_000), {"not-as-declared"}),
    "end": (set_times(duration=1.9), {"ends-after-recording", "label-length"}),
    "remote": (lambda world, record: record["recording"]["sources"][0].update(type="url"), {"no-recording"}),
    "no text": (lambda world, record: record["supervisions"][0].pop("text"), {"no-transcript"}),
    "two texts": (two_texts, {"no-transcript"}),
    "empty text": (set_text(" ... "), {"empty-text"}),
    "long text": (set_text("a bad deed " * 4), {"long-text"}),
    "misread": (set_text("ab Ã¼"), {"wrong-encoding", "unknown-characters"}),
    "unknown": (set_text("xyz"), {"unknown-characters"}),
    "no units": (no_units, {"no-labels"}),
    "other units": (lambda world, record: record["custom"].update(units_fingerprint="0" * 64), {"other-unit-model"}),
    "few units": (set_units(np.zeros(5, np.int16)), {"label-length"}),
    "high units": (set_units(np.full(150, 99, np.int16)), {"label-range"}),
    "units no numbers": (set_units(np.zeros(150)), {"damaged-labels"}),
    "held-out text": (set_text("face a cab"), {"held-out-text"}),
    "held-out sound": (held_out_sound, {"held-out-audio", "no-labels"}),
    "held-out id": (lambda world, record: record.update(id=world.dev[1]["id"]), {"duplicate-id"}),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    tiny.write_corpus(folder, NUM_CLIPS, name="train", units=RULES.units)
    tiny.write_corpus(folder, 2, name="dev", samples=[9_001, 9_501])
    return folder


def kinds_by_line(inputs: Inputs) -> dict[int, set[str]]:
    report = check(inputs, RULES).report
    assert not report.blamed.get(inputs.held_out[0])
    lines = report.blamed.get(inputs.manifests[0], {})
    found = {line: {problem.kind for problem in problems} for line, problems in lines.items()}
    assert Counter(report.found()) == Counter(problem.kind for problems in lines.values() for problem in problems)
    return found


def check_and_fix(world: World, lines: list[Record | str], expected: dict[int, set[str]]) -> None:
    """The law itself."""
    inputs = world.write(lines)
    assert kinds_by_line(inputs) == expected
    out = world.folder / "elsewhere" / "clean.jsonl.gz"
    before = fingerprints(world.folder)
    (fixed,) = write_fixed(inputs, out, check(inputs, RULES))
    after = fingerprints(world.folder)
    assert {name: after[name] for name in before} == before
    kept = [line["id"] for number, line in enumerate(lines, 1) if isinstance(line, dict) and number not in expected]
    assert [cut.id for cut in read_cuts(out)] == kept
    assert (fixed.kept, fixed.dropped) == (len(kept), len(expected))
    dropped = [json.loads(line) for line in dropped_list(out).read_text().splitlines()]
    assert {record["line"]: set(record["kinds"]) for record in dropped} == expected
    assert kinds_by_line(Inputs(manifests=[out], held_out=inputs.held_out)) == {}


def test_the_sound_corpus_is_clean(home: Path, tmp_path: Path):
    """Else the tests below would show nothing."""
    world = World(home, tmp_path)
    check_and_fix(world, [*world.train[:3], " \n", *world.train[3:]], {})  # blank lines are nothing


@pytest.mark.parametrize("how", DAMAGES)
def test_each_damage_is_found_and_dropped(home: Path, tmp_path: Path, how: str):
    world = World(home, tmp_path)
    damage, kinds = DAMAGES[how]
    damage(world, world.train[4])
    check_and_fix(world, list(world.train), {5: kinds})


@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_many_damages_at_once(home: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    world = World(home, tmp_path_factory.mktemp("world"))
    # The first three stay sound, so that something is left; of the others any may be damaged.
    chosen = data.draw(st.dictionaries(st.integers(3, NUM_CLIPS - 1), st.sampled_from(sorted(DAMAGES))))
    lines: list[Record | str] = list(world.train)
    expected = {}
    for number, how in chosen.items():
        damage, kinds = DAMAGES[how]
        damage(world, world.train[number])
        expected[number + 1] = set(kinds)
    for _ in range(data.draw(st.integers(0, 2))):
        copied = data.draw(st.integers(0, 2))
        lines.append(world.train[copied])
        expected[len(lines)] = {"duplicate-id"}
    if data.draw(st.booleans()):
        lines.append("{no cut\n")
        expected[len(lines)] = {"bad-line"}
    check_and_fix(world, lines, expected)


def test_a_manifest_cut_short_is_written_whole(home: Path, tmp_path: Path):
    world = World(home, tmp_path)
    content = gzip.compress("".join(f"{json.dumps(record)}\n" for record in world.train).encode())
    (tmp_path / "cut.jsonl.gz").write_bytes(content[:-8])
    inputs = Inputs(manifests=[tmp_path / "cut.jsonl.gz"], held_out=world.write([]).held_out)
    outcome = check(inputs, RULES)
    assert outcome.report.found() == {"damaged-file": 1}
    (fixed,) = write_fixed(inputs, tmp_path / "out.jsonl.gz", outcome)
    assert (fixed.kept, fixed.dropped) == (NUM_CLIPS, 1)
    assert len(read_cuts(tmp_path / "out.jsonl.gz")) == NUM_CLIPS


BAD_LINES = {
    b"": "empty-text",
    b"xyz": "unknown-characters",
    b"a cab " * 9: "long-text",
    b"fed, a bee": "held-out-text",
    b"\xe4b": "wrong-encoding",
}


@settings(deadline=None, max_examples=15)
@given(
    parts=st.lists(st.sampled_from(sorted(BAD_LINES)) | st.sampled_from([line.encode() for line in tiny.LINES[:10]]))
)
def test_lines_of_texts(home: Path, tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]):
    folder = tmp_path_factory.mktemp("text")
    rules = Rules(max_characters=30, tokenizer=tiny.CharacterTokenizer.train([*tiny.LINES, ",."]))
    held_out = World(home, folder).write([]).held_out
    parts = [*parts, b"a bad cab"]
    (folder / "a.txt").write_bytes(b"\n".join(parts))
    inputs = Inputs(held_out=held_out, texts=[folder / "a.txt"])
    outcome = check(inputs, rules)
    assert outcome.report.found() == dict(Counter(BAD_LINES[part] for part in parts if part in BAD_LINES))
    (fixed,) = write_fixed(inputs, folder / "b.txt", outcome)
    kept = [part for part in parts if part not in BAD_LINES]
    assert (folder / "b.txt").read_bytes() == b"".join(part + b"\n" for part in kept)
    assert (fixed.kept, fixed.dropped) == (len(kept), len(parts) - len(kept))
    assert len(dropped_list(folder / "b.txt").read_text("utf-8").splitlines()) == fixed.dropped
    assert check(Inputs(held_out=held_out, texts=[folder / "b.txt"]), rules).report.is_clean


def test_a_folder_takes_several_files(home: Path, tmp_path: Path):
    text = tiny.write_text(tmp_path)
    inputs = Inputs(manifests=[home / "train.jsonl.gz"], texts=[text])
    fixed = write_fixed(inputs, tmp_path / "clean", check(inputs, Rules()))
    assert [each.target for each in fixed] == [tmp_path / "clean" / "train.jsonl.gz", tmp_path / "clean" / "text.txt"]
    assert [cut.id for cut in read_cuts(fixed[0].target)] == [cut.id for cut in read_cuts(home / "train.jsonl.gz")]
    assert check(Inputs(manifests=[fixed[0].target]), RULES).report.is_clean
    assert fixed[1].target.read_bytes() == text.read_bytes()
    assert dropped_list(tmp_path / "clean").read_text() == ""
    assert str(fixed[1]).endswith(f"{len(tiny.LINES)} kept, 0 dropped")


def test_places_that_will_not_do(home: Path, tmp_path: Path):
    train, dev = home / "train.jsonl.gz", home / "dev.jsonl.gz"
    text = tiny.write_text(tmp_path)
    both = Inputs(manifests=[train], held_out=[dev], texts=[text])
    for inputs, out, told in (
        (both, tmp_path / "one.jsonl.gz", "several files"),
        (both, home, "would replace"),
        (both, home / "units" / "..", "would replace"),
        (Inputs(manifests=[train], held_out=[dev]), dev, "would replace"),
        (Inputs(manifests=[train]), train, "would replace"),
        (Inputs(manifests=[train, tmp_path / "train.jsonl.gz"]), tmp_path / "out", "share a name"),
    ):
        with pytest.raises(DataError, match=told):
            plan_targets(inputs, out)


def test_nothing_is_written_where_nothing_would_be_left(home: Path, tmp_path: Path):
    (tmp_path / "a.txt").write_text("\n\n")
    inputs = Inputs(manifests=[home / "train.jsonl.gz"])
    for each, rules in ((inputs, Rules(rate=8000)), (Inputs(texts=[tmp_path / "a.txt"]), Rules())):
        before = fingerprints(tmp_path)
        with pytest.raises(DataError, match=r"without cuts|no line of text"):
            write_fixed(each, tmp_path / "out", check(each, rules))
        assert fingerprints(tmp_path) == before
