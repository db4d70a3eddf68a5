"""What an experiment trains, how long, and what it is tested on. Choices only; the stages are in `stages.py`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way through the whole path; all systems of a plan are fine-tuned with one budget."""

    name: str
    pretraining: str  # shipped recipe
    recognition: str  # shipped recipe, used from the pre-trained and from random weights
    num_units: int = 100
    seed: int = 1
    beam: int = 5  # of the attention decoder
    valid_clips: int = 60
    overfit_steps: int = 600  # at most
    num_played: int = 8  # clips with a player in the report


PLANS = {
    "demo": Plan(name="demo", pretraining="speecht5_tiny_pretrain", recognition="speecht5_tiny_asr", beam=2),
    "reproduce": Plan(
        name="reproduce",
        pretraining="speecht5_tiny_pretrain_long",
        recognition="speecht5_tiny_asr_long",
        valid_clips=100,
    ),
}
