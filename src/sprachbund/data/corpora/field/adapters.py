"""The corpora whose recipes in Lhotse hold: LibriSpeech, LibriTTS, LJSpeech, VCTK, CMU ARCTIC, MUSAN.

Each reader takes the folder that the user gave and an inventory, and returns the splits; none where the folder is not
the corpus.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lhotse.recipes.cmu_arctic import prepare_cmu_arctic
from lhotse.recipes.librispeech import LIBRISPEECH, MINI_LIBRISPEECH, prepare_librispeech
from lhotse.recipes.libritts import LIBRITTS, prepare_libritts
from lhotse.recipes.ljspeech import prepare_ljspeech
from lhotse.recipes.musan import prepare_musan
from lhotse.recipes.vctk import prepare_vctk

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.recipe import open_view, run_recipe
from sprachbund.data.corpora.field.records import INCOMPLETE, MISSING, Split, Utterance, compare, places, visible
from sprachbund.errors import CorpusError

MICROPHONE = "mic1"  # of VCTK 0.92: every speaker has it; mic2 is missing for two

_PROMPT = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')
_VCTK_AUDIO = {"wav48_silence_trimmed": (".flac", f"_{MICROPHONE}"), "wav48": (".wav", "")}  # 0.92 and 0.80


def read_librispeech(folder: Path, inventory: Inventory) -> dict[str, Split]:
    """The parts of LibriSpeech (or of its mini version) that are there."""
    for place in places(folder):
        parts = [part for part in (*LIBRISPEECH, *MINI_LIBRISPEECH) if (place / part).is_dir()]
        if any(_has(place / part, "*/*/*.trans.txt", "*/*/*.flac") for part in parts):
            return {part: _read_librispeech_part(place, part, inventory) for part in parts}
    return {}


def read_libritts(folder: Path, inventory: Inventory) -> dict[str, Split]:
    """The parts of LibriTTS or LibriTTS-R that are there."""
    for place in places(folder):
        parts = [part for part in LIBRITTS if (place / part).is_dir()]
        if any(_has(place / part, "*/*/*.trans.tsv", "*/*/*.wav") for part in parts):
            return {part: _read_libritts_part(place, part, inventory) for part in parts}
    return {}


def read_ljspeech(folder: Path, inventory: Inventory) -> dict[str, Split]:
    """LJSpeech 1.1, which has no published splits."""
    for place in places(folder):
        if (place / "metadata.csv").is_file() and (place / "wavs").is_dir():
            audio = {path.stem: path for path in visible((place / "wavs").glob("*.wav"))}
            named = {fields[0] for fields in _rows(place / "metadata.csv", "|", 3)}
            pairs = _run(prepare_ljspeech, place, inventory, named, audio)
            utterances = [
                Utterance(s.id, path, "en", s.text, s.custom["normalized_text"], speaker="LJ", gender=s.gender)
                for path, s in pairs
            ]
            return {"all": _split(utterances, named, audio)}
    return {}


def read_vctk(folder: Path, inventory: Inventory) -> dict[str, Split]:
    """VCTK 0.92 (the first microphone) or 0.80, which have no published splits."""
    for place in places(folder):
        sound = next((name for name in _VCTK_AUDIO if (place / name).is_dir()), None)
        if sound is None or not (place / "txt").is_dir() or not (place / "speaker-info.txt").is_file():
            continue
        suffix, ending = _VCTK_AUDIO[sound]
        audio = {path.stem: path for path in visible((place / sound).glob(f"*/*{ending}{suffix}"))}
        texts = {path.stem + ending: path for path in visible((place / "txt").glob("*/*.txt"))}
        whole = sorted(texts.keys() & audio.keys())
        inventory.look(audio[name] for name in whole)
        speakers = [line for line in _lines(place / "speaker-info.txt") if line.strip()]
        content: dict[str, Path | str] = {"speaker-info.txt": "\n".join(speakers)}
        content |= {path.relative_to(place).as_posix(): path for name in whole for path in (audio[name], texts[name])}
        options = {"use_edinburgh_vctk_url": bool(ending), "mic_id": MICROPHONE}
        with open_view(place, content) as view:
            pairs = run_recipe(prepare_vctk, view, inventory, **options) if whole else []
        utterances = [
            Utterance(s.id, path, "en", s.text, speaker=s.speaker, gender=s.gender, custom=dict(s.custom))
            for path, s in pairs
        ]
        return {"all": _split(utterances, texts, audio)}
    return {}


def read_cmu_arctic(folder: Path, inventory: Inventory) -> dict[str, Split]:
    """The voices of CMU ARCTIC that are there, as one; there are no published splits."""
    folders = [*places(folder), *visible(folder.glob("*/cmu_us_*"))]
    voices = {path.name.split("_")[2]: path for path in folders if _is_arctic(path)}
    prompts: dict[str, str] = {}
    audio: dict[str, Path] = {}
    content: dict[str, Path | str] = {}
    for speaker, voice in sorted(voices.items()):
        # Only wav: a folder orig may hold the same names with a second channel.
        sounds = {path.stem: path for path in visible((voice / "wav").glob("*.wav"))}
        said = dict(_prompts(voice / "etc/txt.done.data"))
        whole = sorted(said.keys() & sounds.keys())
        content |= {f"cmu_us_{speaker}_arctic/wav/{name}.wav": sounds[name] for name in whole}
        lines = "".join(f'( {name} "{said[name]}" )\n' for name in whole)
        content[f"cmu_us_{speaker}_arctic/etc/txt.done.data"] = lines
        audio |= {f"{speaker}-{name}": path for name, path in sounds.items()}
        prompts |= {f"{speaker}-{name}": text for name, text in said.items()}
    whole = sorted(prompts.keys() & audio.keys())
    inventory.look(audio[name] for name in whole)
    with open_view(folder, content) as view:
        pairs = run_recipe(prepare_cmu_arctic, view, inventory) if whole else []
    utterances = [
        Utterance(s.id, path, "en", s.text, speaker=s.speaker, gender=s.gender, custom=dict(s.custom))
        for path, s in pairs
    ]
    return {"all": _split(utterances, prompts, audio)} if voices else {}


def read_musan(folder: Path, inventory: Inventory) -> dict[str, Split]:
    """The parts of MUSAN that are there: recordings without texts; of music, genres and whether someone sings."""
    for place in places(folder):
        parts = [part for part in ("music", "speech", "noise") if (place / part).is_dir()]
        if "noise" in parts and any(_has(place / part, "*/*.wav") for part in parts):
            return {part: _read_musan_part(place, part, inventory) for part in parts}
    return {}


def _read_librispeech_part(place: Path, part: str, inventory: Inventory) -> Split:
    audio = {path.stem: path for path in visible((place / part).glob("*/*/*.flac"))}
    transcripts = visible((place / part).glob("*/*/*.trans.txt"))
    named = {fields[0] for path in transcripts for fields in _rows(path, None, 2)}
    pairs = _run(prepare_librispeech, place, inventory, named, audio, dataset_parts=[part])
    return _split([Utterance(s.id, path, "en", s.text, speaker=s.speaker) for path, s in pairs], named, audio)


def _read_libritts_part(place: Path, part: str, inventory: Inventory) -> Split:
    audio = {path.stem: path for path in visible((place / part).glob("*/*/*.wav"))}
    named: set[str] = set()
    pairs: list[Any] = []
    inventory.look(audio.values())
    # A speaker at a time, because the recipe looks for every utterance through all recordings of its part.
    for speaker in visible((place / part).iterdir()):
        transcripts = visible(speaker.glob("*/*.trans.tsv"))
        said = {fields[0] for path in transcripts for fields in _rows(path, "\t", 3)}
        content: dict[str, Path | str] = {part: speaker}
        if (place / "SPEAKERS.txt").is_file():
            content["SPEAKERS.txt"] = place / "SPEAKERS.txt"
        with open_view(speaker, content) as view:
            if said & audio.keys():
                pairs += run_recipe(prepare_libritts, view, inventory, dataset_parts=[part])
        named |= said
    utterances = [
        Utterance(s.id, path, "en", s.custom["orig_text"], s.text, speaker=s.speaker, gender=s.gender)
        for path, s in pairs
    ]
    return _split(utterances, named, audio)


def _read_musan_part(place: Path, part: str, inventory: Inventory) -> Split:
    audio = {path.stem: path for path in visible((place / part).glob("*/*.wav"))}
    inventory.look(audio.values())
    content: dict[str, Path | str] = {path.relative_to(place).as_posix(): path for path in audio.values()}
    annotations = {path: _annotations(path) for path in visible((place / part).glob("*/ANNOTATIONS"))}
    problems: dict[str, list[str]] = {MISSING: [], INCOMPLETE: []}
    described: set[str] = set()
    for path, lines in annotations.items():
        problems[MISSING] += [name for name in lines if name not in audio]
        # Those of music have four fields; the recipe takes no others, and no recordings that are not there.
        kept = {name: line for name, line in lines.items() if name in audio and len(line.split()) >= 4}
        problems[INCOMPLETE] += [name for name in lines if part == "music" and name in audio and name not in kept]
        content[path.relative_to(place).as_posix()] = "\n".join(kept.values())
        described |= kept.keys()
    pairs: list[Any] = [(path, None) for path in audio.values()]
    if audio and (described or part != "music"):  # the recipe takes no music without any annotation
        with open_view(place / part, content) as view:
            pairs = run_recipe(prepare_musan, view, inventory, parts=[part])
    utterances = [Utterance(path.stem, path, custom=_describe_music(s)) for path, s in pairs]
    return Split(utterances, {kind: names for kind, names in problems.items() if names})


def _annotations(path: Path) -> dict[str, str]:
    return {line.split()[0]: line for line in _lines(path) if line.strip()}


def _describe_music(supervision: Any) -> dict[str, Any]:
    return {} if supervision is None else {**supervision.custom, "musician": supervision.speaker}


def _run(
    recipe: Any, place: Path, inventory: Inventory, named: set[str], audio: dict[str, Path], **options: Any
) -> Any:
    """What a recipe makes of a tree in which it passes over holes, but which may not be empty."""
    inventory.look(audio.values())
    return run_recipe(recipe, place, inventory, **options) if named & audio.keys() else []


def _split(utterances: list[Utterance], named: Iterable[str], audio: Mapping[str, Path]) -> Split:
    # A name that points out of the folder is not taken.
    taken = [utterance for utterance in utterances if utterance.utterance_id in audio]
    return Split(taken, compare(set(named), set(audio), {utterance.utterance_id for utterance in taken}))


def _has(folder: Path, *patterns: str) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def _is_arctic(folder: Path) -> bool:
    is_named = folder.name.startswith("cmu_us_") and folder.name.count("_") >= 3
    return is_named and (folder / "etc/txt.done.data").is_file() and (folder / "wav").is_dir()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            "a file of the corpus cannot be read", where=path, given=error, mend="Unpack the corpus again."
        ) from None


def _rows(path: Path, separator: str | None, num_fields: int) -> Iterator[list[str]]:
    """Lines in fields; `None` separates at the first spaces, as many as fields are wanted."""
    lines = _lines(path)
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line:
            return
        fields = line.strip().split(maxsplit=num_fields - 1) if separator is None else line.split(separator)
        if len(fields) != num_fields:
            raise CorpusError(
                f"a line of a transcript does not have {num_fields} fields",
                where=f"{path}, line {number}",
                given=line[:80],
                mend="Unpack the corpus again.",
            )
        yield fields


def _prompts(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        found = _PROMPT.fullmatch(line.strip())
        if found is None:
            raise CorpusError(
                'a prompt is not of the form ( NAME "TEXT" )',
                where=f"{path}, line {number}",
                given=line[:80],
                mend="Unpack the voice again.",
            )
        yield found[1], found[2].replace('\\"', "")
