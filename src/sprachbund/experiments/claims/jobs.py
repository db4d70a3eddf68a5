"""All jobs of a comparison, in the order in which they are wanted: breadth first."""

from collections.abc import Iterator

from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.rows import ROWS, Row
from sprachbund.experiments.claims.testing import RowEvaluation
from sprachbund.experiments.claims.training import Training
from sprachbund.experiments.claims.work import Job


def all_jobs(shared: SharedData, rows: tuple[Row, ...] = ROWS) -> dict[str, Job]:
    """The jobs by their names: data, every row once, its translations once, then the other seeds."""
    return {job.name: job for job in _in_order(shared, rows)}


def _in_order(shared: SharedData, rows: tuple[Row, ...]) -> Iterator[Job]:
    yield from shared.jobs()
    trainings = [Training(row, shared) for row in rows]
    for number, seed in enumerate(shared.budget.seeds):
        for training in trainings:
            evaluation = RowEvaluation(training)
            if number == 0:
                yield from training.pretrain()
            yield training.recognize(seed)
            if number == 0:
                yield evaluation.tune()
            yield evaluation.recognition(seed)
        for language in shared.budget.languages:
            for training in trainings:
                if training.row.translation is not None:
                    yield training.translate(language, seed)
                    yield RowEvaluation(training).translation(language, seed)
