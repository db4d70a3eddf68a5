"""What tuning has changed, as lines for people and as values for the file of settings."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sprachbund.decoding.recognition.config import USES, DecodingConfig
from sprachbund.evaluation.evaluate import EvaluationResult, format_rate
from sprachbund.evaluation.tuning import Metric, Trial, compare

BEST_PATH = DecodingConfig()  # what a model says without any search


@dataclass(frozen=True)
class Comparison:
    """A data set decoded in three ways."""

    metric: Metric
    results: Mapping[str, EvaluationResult]  # best_path, before, after

    @classmethod
    def of_settings(
        cls,
        decode: Callable[[DecodingConfig], EvaluationResult],
        before: DecodingConfig,
        after: DecodingConfig,
        metric: Metric,
    ) -> "Comparison":
        """Decode by the best path of CTC, where the tuning began, and where it ended."""
        results = {"best_path": decode(BEST_PATH), "before": decode(before), "after": decode(after)}
        return cls(metric, results)

    def lines(self) -> list[str]:
        """Rates with intervals, and the paired differences."""
        names = {"best_path": "best path of CTC", "before": "before tuning", "after": "after tuning"}
        lines = [
            f"  {names[name]:<17}WER {format_rate(result.wer)}, CER {format_rate(result.cer)}"
            for name, result in self.results.items()
        ]
        for other in ("before", "best_path"):
            pair = compare(self.results["after"], self.results[other], self.metric)
            said = f"{100 * pair.difference:+.1f} points (95 %: {100 * pair.low:+.1f} to {100 * pair.high:+.1f})"
            lines.append(f"  after tuning against {names[other]}: {self.metric.upper()} {said}")
        return lines

    def facts(self) -> dict[str, Any]:
        """The same as plain values; differences are those of what was tuned for."""
        facts: dict[str, Any] = {
            name: {"clips": result.num_clips, "wer": asdict(result.wer), "cer": asdict(result.cer)}
            for name, result in self.results.items()
        }
        for other in ("before", "best_path"):
            facts[f"after_minus_{other}"] = asdict(compare(self.results["after"], self.results[other], self.metric))
        return facts


def describe_trial(trial: Trial) -> str:
    """One line: the setting, its word and character error rates."""
    rates = f"WER {100 * trial.result.wer.rate:.2f} %, CER {100 * trial.result.cer.rate:.2f} %"
    settings = _values(trial.config)
    weights = ", ".join(f"{name} {value:g}" for name, value in settings.items())
    return f"{rates}: {weights}"


def trial_facts(trial: Trial) -> dict[str, Any]:
    """The same as plain values."""
    return {**_values(trial.config), "wer": trial.result.wer.rate, "cer": trial.result.cer.rate}


def _values(config: DecodingConfig) -> dict[str, float]:
    """What tuning may change."""
    search, uses = config.search(), USES[config.method]
    names = [name for name in ("beam", "ctc_weight", "length_bonus", "length_penalty") if name in uses]
    weights = {f"lm_weight_{number}": model.weight for number, model in enumerate(config.language_models, start=1)}
    return {name: getattr(search, name) for name in names} | weights
