"""All kinds of input."""

from fuzz.audio import AUDIO
from fuzz.checkpoints import CHECKPOINTS
from fuzz.folders import MODELS, TOKENIZERS, UNIT_MODELS
from fuzz.kind import Kind
from fuzz.manifests import MANIFESTS
from fuzz.recipes import RECIPES
from fuzz.runs import RUNS

KINDS: dict[str, Kind] = {
    "audio": AUDIO,
    "manifests": MANIFESTS,
    "recipes": RECIPES,
    "runs": RUNS,
    "models": MODELS,
    "checkpoints": CHECKPOINTS,
    "tokenizers": TOKENIZERS,
    "unit_models": UNIT_MODELS,
}
