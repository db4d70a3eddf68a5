"""Pre-training that joins speech to text through units (SpeechLM, section 3.3; SpeechUT, section 3.3).

Every step has speech with its units, units with the text that they stand for, and units alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.config import NotNegative, Probability
from sprachbund.data.batches.batch import Batch, MixedUnitBatch
from sprachbund.data.batches.unit_text import UnitLinesBatch, UnitTextBatch
from sprachbund.errors import DataError, RecipeError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import EncodedSpeech
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speech_units.outputs import MixedStates
from sprachbund.objectives.loss import Figure, Loss, LossTerm
from sprachbund.objectives.masked_units import UnitTargets, labelled_frames, unit_targets, unit_terms
from sprachbund.objectives.text import PADDING, ctc_loss, impossible_rows, token_cross_entropy
from sprachbund.shapes import Bool, Tensor

SPEECH, PAIRED, UNITS = "speech", "paired", "units"
_KINDS: dict[str, type[Batch]] = {SPEECH: MixedUnitBatch, PAIRED: UnitTextBatch, UNITS: UnitLinesBatch}


@dataclass(frozen=True, kw_only=True)
class UnitPretrainingConfig:
    """Weights of the terms; a weight of 0 removes its term and whatever only it needs. The defaults are SpeechUT's."""

    middle_weight: NotNegative = 1.0
    """Cross entropy of units at masked frames, between the two Transformers."""
    top_weight: NotNegative = 1.0
    """The same after both."""
    unmasked_weight: NotNegative = 0.0
    """Share of both that frames count which are not masked."""
    feature_penalty_weight: NotNegative = 10.0
    """Mean square of the front-end's features."""
    distance_weight: NotNegative = 0.0
    """Distance of states and the vectors of their units at masked frames."""
    mix_predicted: bool = False
    """Swap in the units that the model hears instead of those of the labels."""
    remask: bool = False
    """Put the mask embedding where a masked frame was chosen to be swapped."""
    ctc_weight: NotNegative = 0.1
    """Connectionist temporal classification of text from its units."""
    decoder_weight: NotNegative = 0.1
    """Cross entropy of text that the decoder writes from its units."""
    label_smoothing: Probability = 0.1
    """Probability that this cross entropy spreads over wrong tokens."""
    masked_unit_weight: NotNegative = 0.5
    """Cross entropy of masked units in lines of units alone."""


class UnitPretraining(nn.Module):
    """Takes a mapping of the streams "speech", "paired" and "units"; a stream that is not there is left out.

    Every term is divided by a count of its own: masked frames, tokens with their end of sentence, masked units.

    Args:
        model: shared by all streams.
        config: the weights.

    Raises:
        RecipeError: the model lacks a part that the weights need.
    """

    def __init__(self, model: SpeechUnitModel, config: UnitPretrainingConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = UnitPretrainingConfig() if config is None else config
        if model.unit_predictor is None or model.top_predictor is None:
            mend = "Give the model num_units, or begin with one that was pre-trained on units."
            raise RecipeError("the model knows no units", given=f"num_units: {model.config.num_units}", mend=mend)
        for weight, part, is_there in (
            ("ctc_weight", "CTC head", model.ctc_head is not None),
            ("decoder_weight", "text decoder", model.has_text_decoder),
        ):
            if getattr(self.config, weight) and not is_there:
                raise RecipeError(
                    f"the model has no {part}",
                    given=f"{weight}: {getattr(self.config, weight)}",
                    mend=f"Set objective.{weight} to 0, or give the model that part.",
                )

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batches: Mapping[str, Batch]) -> Loss:
        """The loss of one micro-batch of every stream."""
        terms: list[LossTerm] = []
        figures: dict[str, Figure] = {}
        for stream, batch in _checked(batches).items():
            loss = self._loss(batch).prefixed(f"{stream}/")
            terms += loss.terms
            figures |= loss.figures
        return Loss(tuple(terms), figures)

    def counts(self, batches: Mapping[str, Batch]) -> dict[str, float]:
        """The count of every term of `forward`, from the batches alone."""
        counts = {}
        for stream, batch in _checked(batches).items():
            weights = self._weights(batch)
            found = self._counts(batch)
            counts.update({f"{stream}/{name}": found[name] for name, weight in weights.items() if weight})
        return counts

    def _loss(self, batch: Batch) -> Loss:
        if isinstance(batch, MixedUnitBatch):
            return self._of_speech(batch)
        if isinstance(batch, UnitTextBatch):
            return self._of_pairs(batch)
        assert isinstance(batch, UnitLinesBatch)
        return self._of_units(batch)

    def _weights(self, batch: Batch) -> dict[str, float]:
        config = self.config
        if isinstance(batch, MixedUnitBatch):
            return {
                "middle_units": config.middle_weight,
                "middle_unmasked_units": config.middle_weight * config.unmasked_weight,
                "top_units": config.top_weight,
                "top_unmasked_units": config.top_weight * config.unmasked_weight,
                "feature_penalty": config.feature_penalty_weight,
                "distance": config.distance_weight,
            }
        if isinstance(batch, UnitTextBatch):
            return {"ctc": config.ctc_weight, "decoder": config.decoder_weight}
        return {"masked_units": config.masked_unit_weight}

    def _counts(self, batch: Batch) -> dict[str, float]:
        if isinstance(batch, MixedUnitBatch):
            middle, top = self._targets(batch)
            frames = float(middle.masked.sum())
            return {
                "middle_units": frames,
                "middle_unmasked_units": float(middle.unmasked.sum()),
                "top_units": float(top.masked.sum()),
                "top_unmasked_units": float(top.unmasked.sum()),
                "feature_penalty": middle.num_cells,
                "distance": frames,
            }
        if isinstance(batch, UnitTextBatch):
            return dict.fromkeys(("ctc", "decoder"), float((batch.targets != PADDING).sum()))
        assert isinstance(batch, UnitLinesBatch)
        return {"masked_units": float(_hidden(batch).sum())}

    def _of_speech(self, batch: MixedUnitBatch) -> Loss:
        """Units at masked frames, below and above the unit encoder, which reads some units in the place of speech."""
        config = self.config
        middle, top = self._targets(batch)
        speech, mixed = self._mix(batch, middle)
        # The original takes padding from the units, which may end before the speech does.
        leaks = self.model.config.original_numerics
        padding_mask = mixed.units == PADDING if leaks else speech.padding_mask
        states = self.model.encode_states(mixed.states, padding_mask)
        terms: list[LossTerm] = []
        figures: dict[str, Figure] = {}
        for place, predict, found, targets, weight in (
            ("middle", self.model.unit_logits, speech.states, middle, config.middle_weight),
            ("top", self.model.top_unit_logits, states, top, config.top_weight),
        ):
            weights = {"masked": weight, "unmasked": weight * config.unmasked_weight}
            own, told = unit_terms(predict, found, targets, weights)
            names = {"masked_units": f"{place}_units", "unmasked_units": f"{place}_unmasked_units"}
            terms += [replace(term, name=names[term.name]) for term in own]
            figures |= {f"{place}_{name}": figure for name, figure in told.items()}
        if speech.energy is not None:
            terms.append(LossTerm("feature_penalty", config.feature_penalty_weight, speech.energy, middle.num_cells))
        if mixed.distance is not None:
            terms.append(LossTerm("distance", config.distance_weight, mixed.distance, float(middle.masked.sum())))
        return Loss(tuple(terms), figures)

    def _mix(self, batch: MixedUnitBatch, targets: UnitTargets) -> tuple[EncodedSpeech, MixedStates]:
        num_frames = targets.units.shape[1]
        time_mask = batch.time_mask[:, :num_frames]
        speech = self.model.speech_states(
            batch.waveforms,
            batch.waveform_lengths,
            time_mask=time_mask,
            channel_mask=batch.channel_mask,
            max_frames=labelled_frames(self.model.config, batch),
            with_energy=bool(self.config.feature_penalty_weight),
        )
        mixed = self.model.mix_units(
            speech,
            targets.units,
            None if batch.mix_mask is None else batch.mix_mask[:, :num_frames],
            time_mask=time_mask,
            remask=self.config.remask,
            use_predicted=self.config.mix_predicted,
            with_distance=bool(self.config.distance_weight),
        )
        return speech, mixed

    def _targets(self, batch: MixedUnitBatch) -> tuple[UnitTargets, UnitTargets]:
        """What is told in the middle and at the top."""
        middle = unit_targets(self.model, batch, offset=batch.label_offset)
        if batch.top_units is None:
            return middle, middle
        return middle, unit_targets(self.model, batch, batch.top_units, batch.label_offset)

    def _of_pairs(self, batch: UnitTextBatch) -> Loss:
        """Text of its units, by CTC and by the decoder."""
        config = self.config
        if not (config.ctc_weight or config.decoder_weight):
            return Loss(())
        encoded = self.model.encode_units(batch.units, batch.unit_lengths, unit_mask=batch.unit_mask)
        count = float((batch.targets != PADDING).sum())
        terms: list[LossTerm] = []
        figures: dict[str, Figure] = {}
        if config.ctc_weight:
            blank = self.model.config.blank
            assert blank is not None, "checked before"
            loss = ctc_loss(self.model.ctc_logits(encoded), encoded.lengths, batch.targets, blank=blank)
            terms.append(LossTerm("ctc", config.ctc_weight, loss, count))
            figures["impossible"] = (impossible_rows(batch.targets, encoded.lengths), float(len(batch.targets)))
        if config.decoder_weight:
            logits = self.model.decode_text(batch.decoder_input, encoded)
            tokens = token_cross_entropy(logits, batch.targets, config.label_smoothing)
            terms.append(LossTerm("decoder", config.decoder_weight, tokens.smoothed, count))
            figures["token_accuracy"] = (tokens.correct, tokens.num_tokens)
        return Loss(tuple(terms), figures)

    def _of_units(self, batch: UnitLinesBatch) -> Loss:
        """Masked units, told at the top."""
        if not self.config.masked_unit_weight:
            return Loss(())
        encoded = self.model.encode_units(batch.units, batch.unit_lengths, unit_mask=batch.unit_mask)
        hidden = _hidden(batch)
        wanted = batch.units[hidden].long()
        logits = self.model.top_unit_logits(encoded.states[hidden])
        loss = F.cross_entropy(logits.float(), wanted, reduction="sum")
        with torch.no_grad():
            correct = (logits.argmax(dim=1) == wanted).sum().float()
        count = float(len(wanted))
        term = LossTerm("masked_units", self.config.masked_unit_weight, loss, count)
        return Loss((term,), {"accuracy": (correct, count)})


def _hidden(batch: UnitLinesBatch) -> Bool[Tensor, "batch unit"]:
    """Units that are hidden and no padding."""
    if batch.unit_mask is None:
        raise DataError(
            "units alone are to be told, and none is masked", mend="Mask some: give the stream a masking of units."
        )
    return batch.unit_mask & ~padding_mask_from_lengths(batch.unit_lengths, batch.units.shape[1])


def _checked(batches: Mapping[str, Batch]) -> Mapping[str, Batch]:
    for stream, batch in batches.items():
        if stream not in _KINDS or not isinstance(batch, _KINDS[stream]):
            raise DataError(
                "a stream cannot be trained on through units",
                given=f"{stream}: {type(batch).__name__}",
                mend="Name streams 'speech' (with units), 'paired' (units and text) and 'units' (units alone).",
            )
    return batches
