"""The command `sprachbund`: one thin file a verb, imported when the verb is called, so that help comes at once."""

import importlib
import sys
import warnings

import typer
from rich.console import Console

from sprachbund.errors import EXIT_CODE, SprachbundError

# The verbs in the order in which a user meets them: name -> (module, what help says).
VERBS = {
    "corpus": ("sprachbund.cli.corpus", "List and get corpora; import and export those of other tools."),
    "check": ("sprachbund.cli.check", "Look for what would spoil a training; write what is sound."),
    "tokens": ("sprachbund.cli.tokens", "Units, phones and tokenizers of speech and text; text to units."),
    "convert": ("sprachbund.cli.convert", "Make a model folder of a model of fairseq or transformers."),
    "features": ("sprachbund.cli.features", "Store the features of a frozen encoder on the cuts."),
    "probe": ("sprachbund.cli.probe", "Tell what a linear probe hears in frozen features."),
    "prepare": ("sprachbund.cli.prepare", "Make of speech and text what SpeechLM or SpeechUT trains on."),
    "pretrain": ("sprachbund.cli.pretrain", "Pre-train on speech, or on speech and text."),
    "finetune": ("sprachbund.cli.finetune", "Fine-tune for speech recognition or translation."),
    "lm": ("sprachbund.cli.language_model", "Language models of text: n-grams and neural ones."),
    "transcribe": ("sprachbund.cli.transcribe", "Transcribe recordings."),
    "translate": ("sprachbund.cli.translate", "Translate what is said in recordings."),
    "evaluate": ("sprachbund.cli.evaluate", "Error rates on a manifest; BLEU and chrF of translations."),
    "analyze": ("sprachbund.cli.analyze", "Look into models of speech and units; compare the models."),
    "tune-decoding": ("sprachbund.cli.tuning", "Tune the weights of a search on a development set."),
    "info": (
        "sprachbund.cli.info",
        "Say what a model folder, run, checkpoint, manifest, line store, n-gram model or recording is.",
    ),
    "demo": ("sprachbund.cli.demo", "The whole path on real speech, with a report."),
    "claims": ("sprachbund.cli.claims", "Does text in pre-training help? Many models, one budget, a report."),
}
USAGE = "usage: sprachbund VERB ...   (sprachbund VERB --help tells more)"

# The verbs that go on where they are told to.
RESUMING = ("pretrain", "finetune", "tokens train-t2u", "tokens train-g2p", "lm train")
INTERRUPTED_CODE = 130  # as shells give it


def overview() -> str:
    """What ``sprachbund --help`` says."""
    lines = ["Unified speech, text and lip-video pre-training: SpeechT5 and its family.", "", USAGE, ""]
    return "\n".join(lines + [f"  {name:<14}{told}" for name, (_, told) in VERBS.items()])


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
        package = (error.name or "").partition(".")[0]
        if package == "sprachbund":
            raise
        _fail(
            f"this verb needs the Python package '{package}', which is not installed. "
            "Install what all verbs need with `pip install 'sprachbund[all]'`."
        )
    except OSError as error:
        _fail(f"{error.strerror or error}{_place(error)}. Check the path, its permissions and the free space.")
    except KeyboardInterrupt:
        _tell_interrupted(verb, arguments)
    except SystemExit as leaving:
        # Typer and Lightning each make an exit of their own out of Ctrl-C, without a word about what is kept.
        if not _is_caused_by_interrupt(leaving):
            raise
        _tell_interrupted(verb, arguments)


def _tell_interrupted(verb: str, arguments: list[str]) -> None:
    is_told_to = verb in RESUMING or " ".join((verb, *arguments[:1])) in RESUMING
    command = "the same command with --resume" if is_told_to else "the same command"
    _fail(f"interrupted; what was finished is kept, and {command} goes on from there.", code=INTERRUPTED_CODE)


def _place(error: OSError) -> str:
    return "" if error.filename is None else f" in {error.filename}"


def _is_caused_by_interrupt(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _fail(sentence: str, code: int = EXIT_CODE) -> None:
    line = " ".join(sentence.splitlines())
    Console(stderr=True, soft_wrap=True).print(f"sprachbund: {line}", markup=False, highlight=False)
    raise SystemExit(code)
