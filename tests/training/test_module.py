from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from objectives.batches import quiet_model, rows_of, speech_batch, text_batch, transcribed_batch
from sprachbund.data.batches.batch import Batch
from sprachbund.data.mixture import Step
from sprachbund.objectives.joint_pretraining import JointPretraining, JointPretrainingConfig
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.objectives.speech_pretraining import SpeechPretrainingConfig
from sprachbund.objectives.text_pretraining import TextPretrainingConfig
from sprachbund.training.choices import OptimizationConfig
from sprachbund.training.data import TrainingData
from sprachbund.training.module import TrainingModule, step_seed
from sprachbund.training.schedules import ScheduleConfig, learning_rate

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec"),
]

SCHEDULE = ScheduleConfig(peak=1e-3, total_steps=10, warmup=2, hold=3)
# With so large an epsilon an update is nearly proportional to the gradient, so that weights tell of gradients.
LINEAR = OptimizationConfig(
    schedule=ScheduleConfig(kind="constant", peak=1.0, warmup=0), epsilon=1.0, weight_decay=0.0, clip_norm=0.0
)


class Given(TrainingData):
    """Steps made by hand."""

    def __init__(self, steps: Sequence[Step], held_out: Sequence[dict[str, Batch]] = ()) -> None:
        super().__init__({}, {}, list(held_out), accumulate=1, loader_workers=0)
        self.steps = list(steps)

    def train_dataloader(self) -> DataLoader[Step]:
        return DataLoader(self.steps, batch_size=None)  # type: ignore[arg-type]


class Recorder(Callback):
    """The figures of every step, and whether all of the model was in training mode."""

    def __init__(self) -> None:
        self.figures: list[dict[str, float]] = []
        self.modes: list[bool] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, TrainingModule)
        self.figures.append(pl_module.figures.read())
        self.modes.append(all(module.training for module in pl_module.modules()))


def fit(
    folder: Path, objective: Any, data: Given, optimization: OptimizationConfig = LINEAR, seed: int = 1
) -> tuple[Recorder, Trainer]:
    recorder = Recorder()
    trainer = Trainer(
        accelerator="cpu",
        max_steps=len(data.steps),
        callbacks=[recorder],
        logger=False,
        default_root_dir=str(folder),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=1.0 if data.held_out else 0,
        num_sanity_val_steps=0,
        val_check_interval=1 if data.held_out else None,
    )
    trainer.fit(TrainingModule(objective, optimization, seed), datamodule=data)
    return recorder, trainer


def steps_of(*micros: Sequence[dict[str, Batch]]) -> list[Step]:
    return [Step(number, tuple(one), {}) for number, one in enumerate(micros)]


def recognition(**changes: Any) -> Recognition:
    return Recognition(quiet_model(), RecognitionConfig(**changes))


def joint(**changes: Any) -> JointPretraining:
    """Terms that add up over rows: neither batch statistics nor a diversity of the whole batch."""
    model = quiet_model(quantizer_rule="nearest", has_postnet_norm=False, **changes)
    config = JointPretrainingConfig(
        speech=SpeechPretrainingConfig(diversity_weight=0.0, commitment_weight=0.0, unmasked_weight=0.5),
        text=TextPretrainingConfig(diversity_weight=0.0, commitment_weight=0.0),
    )
    return JointPretraining(model, config)


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


@pytest.mark.parametrize("normalize_by", ["sentences", "tokens"])
def test_micro_batches_add_up_to_one_large_batch_in_recognition(tmp_path: Path, normalize_by: str) -> None:
    batches = [transcribed_batch(seed=number) for number in range(2)]
    whole, split = recognition(normalize_by=normalize_by), recognition(normalize_by=normalize_by)
    start = weights(whole)
    assert farthest(start, weights(split)) == 0.0
    one, _ = fit(tmp_path, whole, Given(steps_of(*[[{"transcribed": batch}] for batch in batches])))
    rows = [[{"transcribed": row} for row in rows_of(batch)] for batch in batches]
    other, _ = fit(tmp_path, split, Given(steps_of(*rows)))
    assert farthest(weights(whole), weights(split)) < 1e-5
    assert farthest(start, weights(whole)) > 1e-2
    for left, right in zip(one.figures, other.figures, strict=True):
        assert left.pop("padding") > 0 == right.pop("padding")  # a single row has none
        assert left == pytest.approx(right, rel=1e-4)
        figures = {"loss", "loss/ctc", "loss/decoder", "token_accuracy", "gradient_norm", "learning_rate"}
        assert set(left) == figures | {"impossible"}


def test_micro_batches_add_up_to_one_large_batch_in_joint_pretraining(tmp_path: Path) -> None:
    batches = [{"speech": speech_batch(seed=number), "text": text_batch(seed=number)} for number in range(2)]
    whole, split = joint(), joint()
    start = weights(whole)
    one, _ = fit(tmp_path, whole, Given(steps_of(*[[batch] for batch in batches])))
    rows = [
        [
            {"speech": speech, "text": text}
            for speech, text in zip(rows_of(batch["speech"]), rows_of(batch["text"]), strict=True)
        ]
        for batch in batches
    ]
    other, _ = fit(tmp_path, split, Given(steps_of(*rows)))
    assert farthest(weights(whole), weights(split)) < 1e-5
    assert farthest(start, weights(whole)) > 1e-2
    for left, right in zip(one.figures, other.figures, strict=True):
        # The perplexity of a micro-batch is that of its own codes, and its padding that of its own rows.
        plain = {name for name in left if not name.endswith(("perplexity", "padding"))}
        assert {name: left[name] for name in plain} == pytest.approx({name: right[name] for name in plain}, rel=1e-4)
        assert {"speech/masked_accuracy", "speech/unmasked_accuracy", "speech/codebook_perplexity"} <= set(left)


def test_micro_batches_of_unequal_size_weigh_by_what_they_hold(tmp_path: Path) -> None:
    """A mean of means would give the single row the weight of the two others."""
    rows = [{"transcribed": row} for row in rows_of(transcribed_batch())]
    whole, split = recognition(normalize_by="tokens"), recognition(normalize_by="tokens")
    [figures], [parts] = (
        fit(tmp_path, objective, Given(steps_of(micros)))[0].figures
        for objective, micros in ((whole, [{"transcribed": transcribed_batch()}]), (split, rows))
    )
    assert figures["loss"] == pytest.approx(parts["loss"], rel=1e-5)
    means = [fit(tmp_path, recognition(normalize_by="tokens"), Given(steps_of([row])))[0].figures[0] for row in rows]
    assert sum(mean["loss"] for mean in means) / 3 != pytest.approx(figures["loss"], rel=1e-3)


def test_the_rate_follows_the_schedule(tmp_path: Path) -> None:
    # A run that is resumed begins with a later number.
    steps = [Step(number, ({"transcribed": transcribed_batch((1800,))},), {}) for number in range(3, 9)]
    recorder, trainer = fit(tmp_path, recognition(), Given(steps), OptimizationConfig(schedule=SCHEDULE))
    expected = [learning_rate(SCHEDULE, number) for number in range(3, 9)]
    assert len(set(expected)) > 3
    assert [figures["learning_rate"] for figures in recorder.figures] == pytest.approx(expected)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(expected[-1])
    assert trainer.global_step == 6


def test_gradients_are_clipped_and_their_norm_before_is_told(tmp_path: Path) -> None:
    step = steps_of([{"transcribed": transcribed_batch()}])
    norms, means = [], []
    for limit in (0.0, 0.5):
        recorder, trainer = fit(tmp_path, recognition(), Given(step), replace(LINEAR, clip_norm=limit))
        norms.append(recorder.figures[0]["gradient_norm"])
        state = trainer.optimizers[0].state.values()
        # After one update the mean is a tenth of the gradient.
        means.append(float(torch.stack([entry["mean"].norm() for entry in state]).norm()) / 0.1)
    assert norms[0] == pytest.approx(norms[1])
    assert norms[0] > 1.0
    assert means == pytest.approx([norms[0], 0.5], rel=1e-3)


def noisy(seed: int = 0) -> Recognition:
    model = quiet_model(dropout=0.3)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Recognition(model)


def test_dropout_is_seeded_by_run_and_step(tmp_path: Path) -> None:
    batch: dict[str, Batch] = {"transcribed": transcribed_batch()}
    losses = {}
    for name, seed, number, stir in (("a", 1, 0, 5), ("b", 1, 0, 6), ("c", 2, 0, 5), ("d", 1, 1, 5)):
        torch.manual_seed(stir)  # what was drawn before does not matter
        recorder, _ = fit(tmp_path, noisy(), Given([Step(number, (batch,), {})]), seed=seed)
        losses[name] = recorder.figures[0]["loss"]
    assert losses["a"] == losses["b"]
    assert len(set(losses.values())) == 3


def test_micro_batches_of_a_step_draw_different_dropout(tmp_path: Path) -> None:
    row: dict[str, Batch] = {"transcribed": transcribed_batch((4000,))}
    [single] = fit(tmp_path, noisy(), Given(steps_of([row])))[0].figures
    [double] = fit(tmp_path, noisy(), Given(steps_of([row, row])))[0].figures
    assert single["loss"] != double["loss"]


def test_seeds_of_steps_are_numbers_that_torch_takes() -> None:
    seeds = {
        step_seed(run, step, place) for run in (-1, 0, 1, 11) for step in (0, 1, 11, 10**9) for place in (0, 1, 11)
    }
    assert len(seeds) == 48
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert step_seed(1, 11) == step_seed(1, 11) != step_seed(11, 1)


def test_a_loaded_model_is_trained_in_training_mode(tmp_path: Path) -> None:
    """Models read from a folder are in evaluation mode; validation must not leave them in it either."""
    objective = noisy()
    objective.model.eval()
    micro: dict[str, Batch] = {"transcribed": transcribed_batch()}
    recorder, _ = fit(tmp_path, objective, Given(steps_of([micro], [micro], [micro]), [micro]))
    assert recorder.modes == [True, True, True]


def test_held_out_figures_have_no_dropout_and_teach_nothing(tmp_path: Path) -> None:
    micros: list[dict[str, Batch]] = [{"transcribed": row} for row in rows_of(transcribed_batch())]
    module = TrainingModule(noisy(), LINEAR, seed=1).eval()
    before = weights(module)
    for _ in range(2):
        for number, micro in enumerate(micros):
            module.validation_step(micro, number)
    repeated = module.validation.read()
    for number, micro in enumerate(micros):
        module.validation_step(micro, number)
    once = module.validation.read()
    assert repeated == pytest.approx(once)
    assert set(once) == {"loss", "loss/decoder", "loss/ctc", "token_accuracy", "impossible"}
    with torch.no_grad():
        whole = module.objective(transcribed_batch())
    assert once["loss"] == pytest.approx(float(whole.total()), rel=1e-4)
    assert farthest(before, weights(module)) == 0.0


def test_a_frozen_encoder_learns_from_its_step_on(tmp_path: Path) -> None:
    objective = recognition(freeze_encoder_steps=2)
    micro: dict[str, Batch] = {"transcribed": transcribed_batch()}
    start = weights(objective)
    decaying = replace(LINEAR, weight_decay=0.1)
    fit(tmp_path, objective, Given(steps_of([micro], [micro])), decaying)
    frozen = weights(objective)
    encoder = [name for name in start if name.startswith(("model.encoder.", "model.speech_prenet."))]
    assert encoder
    assert all(torch.equal(start[name], frozen[name]) for name in encoder)
    assert not torch.equal(start["model.ctc_head.weight"], frozen["model.ctc_head.weight"])
    fit(tmp_path, objective, Given([Step(2, (micro,), {})]), decaying)
    thawed = weights(objective)
    assert any(not torch.equal(frozen[name], thawed[name]) for name in encoder)


@pytest.mark.parametrize("masked_only", [True, False])
def test_a_batch_without_a_masked_frame_does_no_harm(tmp_path: Path, masked_only: bool) -> None:
    speech = speech_batch()
    speech = replace(speech, time_mask=torch.zeros_like(speech.time_mask))
    model = quiet_model()
    terms = {"feature_penalty_weight": 0.0, "spectrogram_weight": 0.0, "stop_weight": 0.0, "use_codebook": False}
    config = SpeechPretrainingConfig(**(terms if masked_only else {}))  # type: ignore[arg-type]
    objective = JointPretraining(model, JointPretrainingConfig(text_weight=0.0, speech=config))
    recorder, _ = fit(tmp_path, objective, Given(steps_of([{"speech": speech}])))
    [figures] = recorder.figures
    assert all(torch.isfinite(tensor).all() for tensor in weights(objective).values())
    assert all(value == value and abs(value) < 1e6 for value in figures.values())
    assert "speech/masked_accuracy" not in figures
    assert "speech/unmasked_accuracy" in figures


def test_a_stream_that_is_left_out_of_validation(tmp_path: Path) -> None:
    """Held-out micro-batches hold one stream each."""
    module = TrainingModule(joint(), LINEAR, seed=1).eval()
    module.validation_step({"speech": speech_batch()}, 0)
    module.validation_step({"text": text_batch()}, 1)
    figures = module.validation.read()
    assert {"loss/speech/masked_units", "loss/text/text"} <= set(figures)


def test_dropout_belongs_to_the_place_in_the_step(tmp_path: Path) -> None:
    """So that it is the same in whichever process a micro-batch is trained on."""
    row: dict[str, Batch] = {"transcribed": transcribed_batch((4000,))}
    losses = {}
    for share, micros in (((0, 1), 2), ((0, 2), 1), ((1, 2), 1)):
        step = Step(0, (row,) * micros, {}, share)
        module = TrainingModule(noisy(), LINEAR, seed=1)
        torch.manual_seed(5)
        losses[share] = []
        for place, micro in zip(step.places, step.micros, strict=True):
            torch.manual_seed(step_seed(1, step.number, place))
            losses[share].append(float(module(micro)[0].detach()))
    assert losses[0, 1] == losses[0, 2] + losses[1, 2]
    assert losses[0, 2] != losses[1, 2]
    [figures] = fit(tmp_path, noisy(), Given(steps_of([row, row])))[0].figures
    assert figures["loss"] == pytest.approx(sum(losses[0, 1]) / 2, rel=1e-5)


def test_figures_that_are_not_yet_logged_go_through_a_checkpoint() -> None:
    module = TrainingModule(recognition(), LINEAR, seed=1)
    module.figures.add_mean("loss/ctc", 6.0, 2.0)
    checkpoint: dict[str, Any] = {}
    module.on_save_checkpoint(checkpoint)
    other = TrainingModule(recognition(), LINEAR, seed=1)
    other.on_load_checkpoint(checkpoint)
    assert other.figures.read() == module.figures.read() == {"loss/ctc": 3.0}
