"""A little speech and text that can be prepared, and models made before; shared by tests."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lhotse import CutSet
from lhotse.utils import fastcopy

import paired_speech
import tiny
from decoding.phone_models import write_phone_model
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.data.paired_units import Pairing
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.experiments.preparing import text
from sprachbund.experiments.preparing.plans import PhonePlan, Sources, UnitPlan
from sprachbund.experiments.preparing.workshop import Workshop
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.tokens.symbols import SymbolTokenizer

LINES = (
    "The cat sat on the mat.",
    "A bad deed!",
    "We have 12 eggs.",
    "Hello, you there?",
    "A CAB...",  # said in held-out speech
    "...",
    "",
    "She had a good day at sea.",
)
HELD_OUT = "A cab."
USED = 5  # of the lines
LEXICON = """\
the DH AH\ncat K AE T\nsat S AE T\non AA N\nmat M AE T\na AH\nbad B AE D\ndeed D IY D\nwe W IY\nhave HH AE V\n
twelve T W EH L V\neggs EH G Z\nhello HH AH L OW\nyou Y UW\nthere DH EH R\ncab K AE B\ndad D AE D\nhad HH AE D\n
she SH IY\ngood G UH D\nday D EY\nat AE T\nsea S IY\n"""


def use_small_lexicon(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Know a few words only, for the time that reading all others takes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lexicon.txt").write_text(LEXICON, "utf-8")
    monkeypatch.setattr(text, "LEXICON", str(folder / "lexicon.txt"))


def with_texts(cuts: CutSet, *texts: str, language: str | None = None) -> CutSet:
    """The cuts, saying these texts one after another."""
    return CutSet.from_cuts(
        fastcopy(cut, supervisions=[fastcopy(cut.supervisions[0], text=texts[number % len(texts)], language=language)])
        for number, cut in enumerate(cuts)
    )


def write_sources(folder: Path, num_clips: int = 5, **changes: Any) -> Sources:
    """Five clips, three of them aligned as the paired part, two further ones to validate on, and text."""
    cuts = tiny.make_cuts(folder / "speech", num_clips, name="clip")
    paired = CutSet.from_cuts(map(paired_speech.evenly_aligned, list(cuts)[:3]))
    valid = with_texts(tiny.make_cuts(folder / "speech", 2, name="valid"), HELD_OUT, "The dad had eggs.")
    manifests = {"train": cuts, "paired": paired, "valid": valid}
    for name, found in manifests.items():
        write_cuts(found, folder / "speech" / f"{name}.jsonl.gz")
    lines = folder / "text" / "lines.txt"
    lines.parent.mkdir(parents=True, exist_ok=True)
    lines.write_text("".join(f"{line}\n" for line in LINES), "utf-8")
    values: dict[str, Any] = {
        "speech": (folder / "speech" / "train.jsonl.gz",),
        "paired": (folder / "speech" / "paired.jsonl.gz",),
        "valid": (folder / "speech" / "valid.jsonl.gz",),
        "text": (str(lines),),
    }
    return Sources(**(values | changes))


def write_text_to_unit(folder: Path, **facts: Any) -> Path:
    """A model folder of random weights that makes units of `tiny.unit_model`, some for each phone."""
    vocabulary = phone_vocabulary(places=False)
    pairing = Pairing(fingerprint=tiny.unit_model().fingerprint, frame_shift=0.01)
    sizes = to_mapping(TextToUnitConfig.tiny(len(vocabulary), tiny.NUM_UNITS + 4))
    plain = merge(sizes, paired_speech.TEXT_TO_UNIT_SIZE)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = TextToUnit(from_mapping(TextToUnitConfig, plain, "test"))
    with torch.no_grad():
        list(model.duration_predictor.parameters())[-1].fill_(1.3)
    known = {"stage": "test", "num_units": tiny.NUM_UNITS, **pairing.facts(), **facts}
    save_model(folder, StoredModel("text_to_unit", plain, model.state_dict(), SymbolTokenizer(vocabulary), known))
    return folder


def write_writer_recipe(folder: Path) -> str:
    """A recipe of a text-to-unit model that learns in a second how long phones last."""
    values = paired_speech.paired_recipe(folder / "unused", "text_to_unit", steps=60, checkpoint_every=10)
    schedule = {"kind": "tri_stage", "peak": 0.02, "total_steps": 60}
    values = merge(values, {"optimization": {"schedule": schedule}, "run": {"validate_every": 60, "log_every": 60}})
    (folder / "t2u.yaml").write_text(yaml.safe_dump(values), "utf-8")
    return str(folder / "t2u.yaml")


def phone_plan(folder: Path, **changes: Any) -> PhonePlan:
    """SpeechLM-P with a phone model that was made before."""
    if "phone_model" not in changes:
        changes["phone_model"] = write_phone_model(folder / "phone-model")
    return PhonePlan(**({"sources": write_sources(folder)} | changes))


def unit_plan(folder: Path, kind: str = "speechlm-h", **changes: Any) -> UnitPlan:
    """SpeechLM-H or SpeechUT with unit model and text-to-unit model that were made before."""
    tiny.unit_model().save(folder / "unit-model")
    values: dict[str, Any] = {
        "kind": kind,
        "sources": write_sources(folder),
        "units": folder / "unit-model",
        "text_to_unit": write_text_to_unit(folder / "writer"),
    }
    return UnitPlan(**(values | changes))


def workshop(plan: PhonePlan | UnitPlan, out: Path) -> tuple[Workshop, list[str]]:
    """The folder on its way, and what it says."""
    said: list[str] = []
    return Workshop(plan, out, said.append), said


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those in which the times of trainings stand."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    told = [path for path in files if "run" not in path.relative_to(folder).parts or path.name == "model.safetensors"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in told}
