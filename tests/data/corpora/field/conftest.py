"""Miniature trees, each in the layout and the formats of a real distribution, with what is known of their clips."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile


@dataclass(frozen=True)
class Known:
    """What the builder of a tree knows of a clip."""

    path: Path
    text: str | None  # normalised
    speaker: str | None
    language: str | None = "en"
    raw_text: str | None = None
    translations: dict[str, str] | None = None
    start: float = 0.0
    duration: float | None = None  # seconds; None: the recording's
    gender: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """A folder to be given with --from, and what is known of each clip by split and id."""

    folder: Path
    known: dict[str, dict[str, Known]]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


class Sounds:
    """Writes recordings of different lengths: a voice-like buzz in noise."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, path: Path, rate: int = 16000, seconds: float | None = None) -> Path:
        self.count += 1
        num_samples = int(rate * (seconds or 0.3 + 0.017 * self.count))
        time = np.arange(num_samples) / rate
        rng = np.random.default_rng(self.count)
        wave = 0.3 * np.sign(np.sin(2 * np.pi * 120 * time)) + 0.01 * rng.standard_normal(num_samples)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".m4a":
            _write_m4a(path, wave, rate)
        else:
            soundfile.write(path, wave, rate)
        return path


def _write_m4a(path: Path, wave: np.ndarray, rate: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        for start in range(0, len(wave), 1024):
            part = wave[None, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def librispeech(folder: Path) -> Tree:
    """The archives of openslr.org/12 unpacked side by side."""
    sound, known = Sounds(), {}
    said = {
        "dev-clean": [("84-121123-0000", "GO DO YOU HEAR"), ("84-121550-0001", "IT'S O'CLOCK")],
        "test-other": [("367-130732-0000", "LOBSTERS AND LOBSTERS")],
        "train-clean-100": [("103-1240-0000", "CHAPTER ONE"), ("103-1240-0001", "GO DO YOU HEAR")],
    }
    root = folder / "LibriSpeech"
    write(
        root / "SPEAKERS.TXT", ";ID  |SEX| SUBSET           |MINUTES| NAME\n14   | F | train-clean-360  | 25.03 | K\n"
    )
    write(root / "README.TXT", "1. About\n")
    for part, lines in said.items():
        known[part] = {}
        for name, text in lines:
            speaker, book, _ = name.split("-")
            place = root / part / speaker / book
            path = sound(place / f"{name}.flac")
            with (place / f"{speaker}-{book}.trans.txt").open("a") as handle:
                handle.write(f"{name} {text}\n")
            known[part][name] = Known(path, text.lower(), speaker, raw_text=text)
    return Tree(folder, known)


def libri_light(folder: Path) -> Tree:
    """small.tar unpacked: PART/SPEAKER/BOOK/CHAPTER.flac and .json."""
    sound, known = Sounds(), {}
    for part, speaker, segments in (("small", "100", [[0.1, 0.5], [0.6, 1.0]]), ("medium", "7", [[0.0, 0.9]])):
        stem = f"{speaker}/sea_fairies_0812_librivox_64kb_mp3/01_baum_sea_fairies_64kb"
        path = sound(folder / "flac-of-libri" / part / f"{stem}.flac", seconds=1.2)
        meta = {"speaker": speaker, "book_meta": {"id": "2"}, "snr": 10.8, "voice_activity": segments}
        write(path.with_suffix(".json"), json.dumps(meta))
        known[part] = {
            f"{stem.replace('/', '-')}-{i}": Known(path, None, speaker, start=a, duration=round(b - a, 8))
            for i, (a, b) in enumerate(segments)
        }
    return Tree(folder / "flac-of-libri", known)


def libritts(folder: Path) -> Tree:
    """The archives of openslr.org/60 unpacked side by side."""
    sound, known = Sounds(), {}
    said = {
        "dev-clean": [
            ("84_121123_000007_000001", "Mr. Noirtier, at 5!", "Mister Noirtier, at five!"),
            ("84_121123_000008_000000", "Villefort rose.", "Villefort rose."),
        ],
        "train-clean-100": [("103_1241_000000_000001", "matthew cuthbert", "matthew cuthbert")],
    }
    root = folder / "LibriTTS"
    lines = [
        ";ID  |SEX| SUBSET           |MINUTES| NAME",
        "84   | F | dev-clean        | 25.03 | C",
        "103  | M | train-clean-100  | 25.11 | K",
    ]
    write(root / "SPEAKERS.txt", "\n".join(lines) + "\n")
    for part, rows in said.items():
        known[part] = {}
        for name, original, normalized in rows:
            speaker, book = name.split("_")[:2]
            place = root / part / speaker / book
            path = sound(place / f"{name}.wav", 24000)
            write(place / f"._{name}.wav", "an archive's own")
            write(place / f"{name}.normalized.txt", normalized)
            write(place / f"{name}.original.txt", original)
            with (place / f"{speaker}_{book}.trans.tsv").open("a") as handle:
                handle.write(f"{name}\t{original}\t{normalized}\n")
            with (place / f"{speaker}_{book}.book.tsv").open("a") as handle:
                handle.write(f"{name}\t{original}\t{normalized}\t0\t1\t12.5\n")
            text = {"84_121123_000007_000001": "mister noirtier at five"}.get(name, normalized.lower().rstrip("."))
            gender = {"84": "F", "103": "M"}[speaker]
            known[part][name] = Known(path, text, speaker, raw_text=original, gender=gender)
    return Tree(folder, known)


def ljspeech(folder: Path) -> Tree:
    """LJSpeech-1.1.tar.bz2 unpacked."""
    sound, root = Sounds(), folder / "LJSpeech-1.1"
    rows = [
        (
            "LJ001-0001",
            'in being "comparatively" modern in 1455.',
            "in being comparatively modern in fourteen fifty-five.",
        ),
        ("LJ001-0002", "has never been surpassed — é.", "has never been surpassed — é."),
    ]
    write(root / "metadata.csv", "".join(f"{'|'.join(row)}\n" for row in rows))
    write(root / "README", "The LJ Speech Dataset\n")
    texts = ["in being comparatively modern in fourteen fifty five", "has never been surpassed é"]
    known = {
        name: Known(sound(root / "wavs" / f"{name}.wav", 22050), text, "LJ", raw_text=raw, gender="female")
        for (name, raw, _), text in zip(rows, texts, strict=True)
    }
    return Tree(root, {"all": known})


def _vctk(root: Path, sound_folder: str, ending: str, suffix: str, prefix: str) -> dict[str, dict[str, Known]]:
    sound, known = Sounds(), {}
    people = {"225": ("23", "F", "English", "Southern  England"), "226": ("22", "M", "English", "Surrey")}
    lines = ["ID  AGE  GENDER  ACCENTS  REGION COMMENTS"]
    lines += [f"{prefix}{name}  {'    '.join(about)}" for name, about in people.items()]
    write(root / "speaker-info.txt", "\n".join([*lines, "", ""]))
    for speaker, number, text in (("p225", "001", "Please call Stella."), ("p226", "002", "Ask her: 3 times!")):
        name = f"{speaker}_{number}"
        write(root / "txt" / speaker / f"{name}.txt", f"{text}\n")
        path = sound(root / sound_folder / speaker / f"{name}{ending}{suffix}", 48000)
        age, gender, accent, region = people[speaker[1:]]
        about = {"age": int(age), "accent": accent, "region": " ".join(region.split())}
        said = {"p225": "please call stella", "p226": "ask her three times"}[speaker]
        known[f"{name}{ending}"] = Known(path, said, speaker, raw_text=text, gender=gender, custom=about)
    return {"all": known}


def vctk(folder: Path) -> Tree:
    """VCTK-Corpus-0.92.zip unpacked: two microphones, and a speaker without texts."""
    root = folder / "VCTK-Corpus-0.92"
    known = _vctk(root, "wav48_silence_trimmed", "_mic1", ".flac", "p")
    for clip in list(known["all"].values()):
        Sounds()(clip.path.with_name(clip.path.name.replace("mic1", "mic2")), 48000)
    return Tree(folder, known)


def vctk_old(folder: Path) -> Tree:
    """VCTK-Corpus.tar.gz (0.80) unpacked."""
    root = folder / "VCTK-Corpus"
    return Tree(root, _vctk(root, "wav48", "", ".wav", ""))


def cmu_arctic(folder: Path) -> Tree:
    """Packed voices of festvox.org unpacked side by side; some bring a folder orig with the same names."""
    sound, known = Sounds(), {}
    said = [("arctic_a0001", "Author of the danger trail, Philip Steels, etc."), ("arctic_b0001", "Gad, do I hear?")]
    for speaker, gender, accent in (("bdl", "male", "US Midwest"), ("slt", "female", "US Midwest")):
        root = folder / f"cmu_us_{speaker}_arctic"
        write(root / "etc/txt.done.data", "".join(f'( {name} "{text}" )\n' for name, text in said))
        for name, text in said:
            path = sound(root / "wav" / f"{name}.wav")
            sound(root / "orig" / f"{name}.wav", seconds=0.9)
            told = {"arctic_a0001": "author of the danger trail philip steels etc", "arctic_b0001": "gad do i hear"}
            custom = {"accent": accent}
            clip = Known(path, told[name], speaker, raw_text=text, gender=gender, custom=custom)
            known[f"{speaker}-{name}"] = clip
    return Tree(folder, {"all": known})


_OLD_COLUMNS = ["client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender", "accent"]
_NEW_COLUMNS = [*_OLD_COLUMNS[:-1], "accents", "variant", "locale", "segment", "sentence_id", "sentence_domain"]


def _table(columns: list[str], rows: list[dict[str, str]]) -> str:
    return "".join(
        "\t".join(row.get(c, "") for c in columns) + "\n" for row in [dict(zip(columns, columns, strict=True)), *rows]
    )


def common_voice(folder: Path) -> Tree:
    """Two languages of a release of 2024."""
    sound, known = Sounds(), {}
    root = folder / "cv-corpus-17.0-2024-03-15"
    said = {
        ("sv-SE", "train"): ('Hej "på dig!', "hej på dig"),
        ("sv-SE", "dev"): ("Klockan 3.", "klockan tre"),
        ("en", "train"): ("It\u2019s 5 o\u2019clock.", "it's five o'clock"),
        ("en", "test"): ("It\u2019s five o\u2019clock.", "it's five o'clock"),
    }
    for number, ((language, split), (sentence, text)) in enumerate(said.items()):
        name = f"common_voice_{language}_{number}"
        row = {"client_id": f"c{number}", "path": f"{name}.mp3", "sentence": sentence, "age": "twenties"}
        write(root / language / f"{split}.tsv", _table(_NEW_COLUMNS, [row | {"accents": "Scania", "locale": language}]))
        path = sound(root / language / "clips" / f"{name}.mp3", 32000)
        custom = {"age": "twenties", "accent": "Scania"}
        clip = Known(path, text, f"c{number}", language, sentence, custom=custom)
        known[f"{split}.{language}"] = {name: clip}
    for language in ("en", "sv-SE"):
        write(root / language / "validated.tsv", _table(_NEW_COLUMNS, []))
    return Tree(folder, known)


def must_c(folder: Path) -> Tree:
    """MUSTC_v1.0_en-de.tar.gz unpacked."""
    sound, known = Sounds(), {}
    root = folder / "MUSTC_v1.0" / "en-de"
    rows = {
        "train": [
            ("ted_1.wav", 0.1, 0.3, "(Laughter) And it\u2028was 5.", "Und es waren 5.", "and it was five"),
            ("ted_1.wav", 0.5, 0.4, "(Applause)", "(Applaus)", "applause"),
        ],
        "tst-COMMON": [("ted_9.wav", 0.25, 0.5, "Thank you.", "Danke.", "thank you")],
    }
    for split, segments in rows.items():
        place = root / "data" / split
        lines = [
            f"- {{duration: {duration:f}, offset: {offset:f}, rW: 9, uW: 0, speaker_id: spk.7, wav: {wav}}}"
            for wav, offset, duration, *_ in segments
        ]
        write(place / "txt" / f"{split}.yaml", "\n".join(lines) + "\n")
        write(place / "txt" / f"{split}.en", "".join(f"{row[3]}\n" for row in segments))
        write(place / "txt" / f"{split}.de", "".join(f"{row[4]}\n" for row in segments))
        path = sound(place / "wav" / segments[0][0], seconds=1.0)
        known[f"{split}.en-de"] = {
            f"{wav.removesuffix('.wav')}_{i}": Known(
                path, said, "spk.7", "en", " ".join(raw.split()), {"de": translation}, offset, duration
            )
            for i, (wav, offset, duration, raw, translation, said) in enumerate(segments)
        }
    return Tree(folder / "MUSTC_v1.0", known)


def covost(folder: Path) -> Tree:
    """Common Voice 4.0 (2019) of French and English, and the tables of CoVoST 2 beside their languages."""
    sound, known = Sounds(), {}
    rows = {
        ("fr", "en"): [
            ("train", 'C\'est \\"ça\\".', 'That is \\"it\\".', "c'est ça"),
            ("train_covost", "Oui 2!", "Yes 2!", "oui deux"),
        ],
        ("en", "zh-CN"): [("test", "Thank you.", "谢谢。", "thank you"), ("dev", "No.", "不。", "no")],
    }
    for (source, target), clips in rows.items():
        root, told, translated = folder / "cv-corpus-4-2019-12-10" / source, [], []
        for number, (split, sentence, translation, text) in enumerate(clips):
            name = f"common_voice_{source}_{number}"
            row = {"client_id": f"c{number}", "path": f"{name}.mp3", "sentence": sentence, "gender": "female"}
            told.append(row | {"accent": "quebec"})
            translated.append({"path": f"{name}.mp3", "translation": translation, "split": split})
            path = sound(root / "clips" / f"{name}.mp3", 48000)
            raw, meant = sentence.replace("\\", ""), translation.replace("\\", "")
            key = f"{split.removesuffix('_covost')}.{source}-{target}"
            custom = {"accent": "quebec"}
            known.setdefault(key, {})[name] = Known(
                path, text, f"c{number}", source, raw, {target: meant}, gender="female", custom=custom
            )
        write(root / "validated.tsv", _table(_OLD_COLUMNS, told))
        write(root / f"covost_v2.{source}_{target}.tsv", _table(["path", "translation", "split"], translated))
    return Tree(folder, known)


def voxceleb(folder: Path) -> Tree:
    """vox1_{dev,test}_wav.zip and vox2_{dev,test}_aac.zip unpacked, with the table of VoxCeleb 1."""
    sound = Sounds()
    header = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    lines = ["id10001\tA.J._Buckley\tm\tIreland\tdev", "id10270\tEartha_Kitt\tf\tUSA\ttest"]
    write(folder / "VoxCeleb1/vox1_meta.csv", header + "\n".join(lines) + "\n")
    header = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \n"
    write(folder / "VoxCeleb2/vox2_meta.csv", header + "id00012 ,n000012 ,m ,dev \n")
    known = {}
    for split, stem, speaker, gender, custom in (
        ("vox1-dev", "VoxCeleb1/wav", "id10001", "m", {"speaker_name": "A.J._Buckley", "nationality": "Ireland"}),
        ("vox1-test", "VoxCeleb1/wav", "id10270", "f", {"speaker_name": "Eartha_Kitt", "nationality": "USA"}),
        ("vox2-dev", "VoxCeleb2/dev/aac", "id00012", "m", {}),
        ("vox2-test", "VoxCeleb2/test/aac", "id00017", None, {}),
    ):
        suffix = ".wav" if "wav" in stem else ".m4a"
        path = sound(folder / stem / speaker / "1zcIwhmdeo4" / f"00001{suffix}")
        name = f"{speaker}-1zcIwhmdeo4-00001"
        known[split] = {name: Known(path, None, speaker, None, gender=gender, custom=custom)}
    return Tree(folder, known)


def musan(folder: Path) -> Tree:
    """musan.tar.gz unpacked."""
    sound, root, known = Sounds(), folder / "musan", {}
    lines = {
        "music/fma": "music-fma-0000 blues,rock Y Cullah\n",
        "speech/librivox": "speech-librivox-0000 m english\n",
        "noise/free-sound": "noise-free-sound-0000 keyboard\n",
    }
    music = {"genres": ["blues", "rock"], "vocals": True, "musician": "Cullah"}
    for place, annotation in lines.items():
        name, part = annotation.split()[0], place.split("/")[0]
        write(root / place / "ANNOTATIONS", annotation)
        write(root / place / "LICENSE", "public domain\n")
        known[part] = {name: Known(sound(root / place / f"{name}.wav"), None, None, None, custom={})}
    known["music"]["music-fma-0000"].custom.update(music)
    return Tree(folder, known)


BUILDERS: dict[str, tuple[str, Callable[[Path], Tree]]] = {
    "librispeech": ("librispeech", librispeech),
    "libri-light": ("libri-light", libri_light),
    "libritts": ("libritts", libritts),
    "ljspeech": ("ljspeech", ljspeech),
    "vctk-0.92": ("vctk", vctk),
    "vctk-0.80": ("vctk", vctk_old),
    "cmu-arctic": ("cmu-arctic", cmu_arctic),
    "common-voice": ("common-voice", common_voice),
    "must-c": ("must-c", must_c),
    "covost-2": ("covost-2", covost),
    "voxceleb": ("voxceleb", voxceleb),
    "musan": ("musan", musan),
}


@pytest.fixture(params=BUILDERS)
def named_tree(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Tree]:
    """Every corpus in turn: its name, and its tree."""
    name, build = BUILDERS[request.param]
    return name, build(tmp_path / "unpacked")


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], Tree]:
    """The tree of a layout by name."""
    return lambda layout: BUILDERS[layout][1](tmp_path / "unpacked")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach a server is a failure."""
    monkeypatch.setattr("socket.socket.connect", functools.partial(pytest.fail, "the network was asked"))
