"""``sprachbund demo``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.config import nearest
from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of everything that is made, the report included.")] = Path("demo"),
    plan: Annotated[
        str, typer.Option(help="demo: about 20 minutes on two cores; reproduce: an hour or two (estimated).")
    ] = "demo",
    corpora: Annotated[Path, typer.Option(help="Folder of the corpora; missing ones are fetched.")] = Path("corpora"),
) -> None:
    """The whole path on real speech: corpora, units, pre-training, fine-tuning, transcripts, report.

    Interrupt it when you like: the same command goes on.
    """
    from rich.console import Console

    from sprachbund.experiments.plan import PLANS
    from sprachbund.experiments.run import run_plan

    if plan not in PLANS:
        raise RecipeError("there is no such plan", given=plan, mend=nearest(plan, list(PLANS)))
    run_plan(PLANS[plan], out, corpora, Console(stderr=True))
