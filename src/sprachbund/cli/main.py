"""The command `sprachbund`: one thin file a verb, imported when the verb is called, so that help comes at once."""

import importlib
import sys
import warnings

import typer
from rich.console import Console

from sprachbund.errors import EXIT_CODE, SprachbundError

# The verbs in the order in which a user meets them: name -> (module, what help says).
VERBS = {
    "corpus": ("sprachbund.cli.corpus", "List the corpora and get them."),
    "tokens": ("sprachbund.cli.tokens", "Fit units and tokenizers, label speech with units."),
    "pretrain": ("sprachbund.cli.pretrain", "Pre-train on speech and text."),
    "finetune": ("sprachbund.cli.finetune", "Fine-tune for speech recognition."),
    "transcribe": ("sprachbund.cli.transcribe", "Transcribe recordings."),
    "evaluate": ("sprachbund.cli.evaluate", "Word and character error rates on a manifest."),
    "info": ("sprachbund.cli.info", "Say what a model folder, run, checkpoint, manifest or recording is."),
    "demo": ("sprachbund.cli.demo", "The whole path on real speech, with a report."),
}
USAGE = "usage: sprachbund VERB ...   (sprachbund VERB --help tells more)"


def overview() -> str:
    """What ``sprachbund --help`` says."""
    lines = ["Unified speech, text and lip-video pre-training: SpeechT5 and its family.", "", USAGE, ""]
    return "\n".join(lines + [f"  {name:<12}{told}" for name, (_, told) in VERBS.items()])


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors of the user's input end in one sentence and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in ("--help", "-h", "help"):
        sys.stdout.write(overview() + "\n")
        raise SystemExit(0 if given else EXIT_CODE)
    if given[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"sprachbund {version('sprachbund')}\n")
        raise SystemExit(0)
    if given[0] not in VERBS:
        from sprachbund.config import nearest

        _fail(f"there is no verb '{given[0]}'. {nearest(given[0], list(VERBS))}")
    _run(given[0], given[1:])


def _run(verb: str, arguments: list[str]) -> None:
    # Notes of libraries to their own developers are nothing to a user.
    warnings.simplefilter("ignore")
    try:
        app: typer.Typer = importlib.import_module(VERBS[verb][0]).app
        app(args=arguments, prog_name=f"sprachbund {verb}")
    except SprachbundError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sprachbund"):
            raise
        _fail(
            f"this verb needs the Python package '{error.name}', which is not installed. "
            "Run: pip install 'sprachbund[all]'"
        )
    except KeyboardInterrupt:
        _fail("interrupted; what was finished is kept, and the same command goes on from there.", code=130)


def _fail(sentence: str, code: int = EXIT_CODE) -> None:
    Console(stderr=True, soft_wrap=True).print(f"sprachbund: {sentence}", markup=False, highlight=False)
    raise SystemExit(code)
