"""``sprachbund claims``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False)


@app.command()
def claims(
    out: Annotated[Path, typer.Option(help="Folder of everything that is made, the report included.")] = Path("claims"),
    corpora: Annotated[Path, typer.Option(help="Folder of the corpora; missing ones are fetched.")] = Path("corpora"),
    budget: Annotated[str, typer.Option(help="claims: hours on two cores; quick: shows that it runs.")] = "claims",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Jobs at a time, each with one thread.")] = 2,
    hours: Annotated[float | None, typer.Option(min=0.0, help="Stop after so many hours, in good order.")] = None,
    job: Annotated[str | None, typer.Option(help="Do only this job, whose needs are done.")] = None,
    only_report: Annotated[bool, typer.Option("--only-report", help="Write the report of what is done.")] = False,
) -> None:
    """Does text in pre-training help? SpeechLM, SpeechUT and others on real speech, one budget for all, with a report.

    Interrupt it when you like: the same command goes on.
    """
    from sprachbund.experiments.claims.run import Claims

    if only_report and job is not None:
        raise RecipeError("a job or the report, not both", given=job, mend="Leave --job or --only-report out.")
    comparison = Claims(budget=budget, out=out, corpora=corpora, say=lambda sentence: typer.echo(sentence, err=True))
    if job is not None:
        comparison.do(job)
        return
    page = comparison.report() if only_report else comparison.run(workers=workers, hours=hours)
    typer.echo(f"report: {page}")
