"""The systems that are compared: how each is pre-trained, fine-tuned, and what it is measured against."""

from dataclasses import dataclass
from typing import Literal

Data = Literal["speechlm-p", "speechlm-h", "speechut"]
"""What `sprachbund prepare` makes; its folder is called so."""
PREPARED = "prepared"  # as a recipe: the one that `sprachbund prepare` wrote


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system."""

    name: str
    title: str
    told: str  # what it is pre-trained on, for people
    pretraining: str | None = None  # shipped recipe, or `PREPARED`; None begins fine-tuning with random weights
    changes: tuple[str, ...] = ()  # of that recipe
    data: Data | None = None  # the prepared folder that its units are from
    recognition: str  # shipped recipe
    translation: str | None = None  # shipped recipe; None is not translated with
    baseline: str | None = None  # the row without pre-training that is fine-tuned in the same way
    reads_text: bool = False  # whether unpaired text is in its pre-training
    reads_units: bool = True  # whether hidden units or phones are in its pre-training, where it has one


HYBRID, CTC = "none", "none-ctc"

ROWS: tuple[Row, ...] = (
    Row(
        name=HYBRID,
        title="no pre-training",
        told="nothing; the network of SpeechUT",
        recognition="speechut_asr_tiny",
        translation="speechut_translation_tiny",
    ),
    Row(
        name=CTC,
        title="no pre-training, CTC alone",
        told="nothing; the network of SpeechLM",
        recognition="speechlm_asr_tiny",
    ),
    Row(
        name="speechlm-h",
        title="SpeechLM-H",
        told="speech with hidden units; text as hidden units",
        pretraining=PREPARED,
        data="speechlm-h",
        recognition="speechlm_asr_tiny",
        translation="speechlm_translation_tiny",
        baseline=CTC,
        reads_text=True,
    ),
    Row(
        name="speechlm-h-without-text",
        title="SpeechLM-H without text",
        told="speech with hidden units",
        pretraining=PREPARED,
        changes=("objective.ctc_weight=0.0",),
        data="speechlm-h",
        recognition="speechlm_asr_tiny",
        baseline=CTC,
    ),
    Row(
        name="hubert",
        title="HuBERT",
        told="speech with hidden units",
        pretraining="hubert_tiny_iteration2",
        data="speechlm-h",
        recognition="hubert_tiny_asr",
        baseline=CTC,
    ),
    Row(
        name="speechut",
        title="SpeechUT",
        told="speech with hidden units; text as hidden units; units alone",
        pretraining=PREPARED,
        data="speechut",
        recognition="speechut_asr_tiny",
        translation="speechut_translation_tiny",
        baseline=HYBRID,
        reads_text=True,
    ),
    Row(
        name="speechlm-p",
        title="SpeechLM-P",
        told="speech with phones; text as phones",
        pretraining=PREPARED,
        data="speechlm-p",
        recognition="speechlm_asr_tiny",
        translation="speechlm_translation_tiny",
        baseline=CTC,
        reads_text=True,
    ),
    Row(
        name="speecht5",
        title="SpeechT5",
        told="speech with hidden units and its spectrogram; text with noise",
        pretraining="speecht5_tiny_pretrain",
        data="speechlm-h",
        recognition="speecht5_tiny_asr",
        baseline=HYBRID,
        reads_text=True,
    ),
    Row(
        name="encoder-decoder",
        title="encoder-decoder without units",
        told="the spectrogram of masked speech; text with noise",
        pretraining="speecht5_tiny_without_masked_prediction",
        changes=(
            "objective.speech.use_codebook=false",
            "objective.speech.diversity_weight=0.0",
            "objective.text.use_codebook=false",
            "objective.text.diversity_weight=0.0",
            "model.changes={has_quantizer: false}",
        ),
        data="speechlm-h",
        recognition="speecht5_tiny_asr",
        baseline=HYBRID,
        reads_text=True,
        reads_units=False,
    ),
    Row(
        name="speechut-without-mixing",
        title="SpeechUT without mixing",
        told="as SpeechUT, speech and units never mixed",
        pretraining=PREPARED,
        changes=("mixing.probability=0.0",),
        data="speechut",
        recognition="speechut_asr_tiny",
        baseline=HYBRID,
        reads_text=True,
    ),
    Row(
        name="speechut-without-masked-units",
        title="SpeechUT without masked unit modelling",
        told="as SpeechUT, without units alone",
        pretraining=PREPARED,
        changes=("mono=null", "objective.masked_unit_weight=0.0"),
        data="speechut",
        recognition="speechut_asr_tiny",
        baseline=HYBRID,
        reads_text=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two rows that differ in one thing, and the question that this answers; declared before anything is run."""

    question: str
    row: str
    against: str


CONTRASTS: tuple[Contrast, ...] = (
    Contrast(question="Does unpaired text help SpeechLM-H?", row="speechlm-h", against="speechlm-h-without-text"),
    Contrast(question="Is SpeechLM-H better than HuBERT on the same units?", row="speechlm-h", against="hubert"),
    Contrast(question="Do phones do better than hidden units?", row="speechlm-p", against="speechlm-h"),
    Contrast(question="Do units help an encoder-decoder?", row="speecht5", against="encoder-decoder"),
    Contrast(question="Does mixing help SpeechUT?", row="speechut", against="speechut-without-mixing"),
    Contrast(
        question="Does masked unit modelling help SpeechUT?",
        row="speechut",
        against="speechut-without-masked-units",
    ),
)
"""The first one is the papers' claim."""
