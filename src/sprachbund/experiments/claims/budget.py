"""How much every system may train on and how it is tested: one budget for all of them. Choices only."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a comparison of systems costs."""

    name: str
    labelled_minutes: float = 20.0  # of Steel Sky train, chosen by a hash: all transcripts that any system sees
    every_line: int = 6  # of WordNet's glosses, which are the unpaired text
    num_units: int = 100
    layer: int = 4  # of the teacher, whose frames the units are clusters of
    teacher_steps: int = 2000  # of HuBERT on units of MFCC
    phone_steps: int = 1500  # of the phone model of SpeechLM-P
    text_to_unit_steps: int = 1200
    pretraining_steps: int = 600
    pretraining_seconds: float = 30.0  # of speech in a step
    recognition_steps: int = 700
    translation_steps: int = 400
    finetuning_seconds: float = 24.0  # of speech in a step
    seeds: tuple[int, ...] = (1, 2, 3)  # of fine-tuning; pre-training has the first one
    languages: tuple[str, ...] = ("de", "fr", "es")
    tuning_clips: int = 60  # of Steel Sky dev
    tuning_trials: int = 8
    valid_clips: int = 60
    test_clips: int | None = None  # of each test set at most, chosen by a hash; None for all


BUDGETS = {
    "claims": Budget(name="claims"),
    "quick": Budget(
        name="quick",
        every_line=60,
        teacher_steps=20,
        phone_steps=20,
        text_to_unit_steps=20,
        pretraining_steps=10,
        recognition_steps=10,
        translation_steps=10,
        seeds=(1, 2),
        languages=("de",),
        tuning_clips=4,
        tuning_trials=2,
        valid_clips=4,
        test_clips=12,
    ),
}
