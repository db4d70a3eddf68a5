"""A corpus and text -> units, phones, tokenizer -> a folder that `sprachbund pretrain` takes."""

from pathlib import Path

from sprachbund.errors import DataError
from sprachbund.experiments.preparing.handover import base_recipe, write_card, write_recipe
from sprachbund.experiments.preparing.phones import prepare_phones
from sprachbund.experiments.preparing.plans import PhonePlan, Plan
from sprachbund.experiments.preparing.units import prepare_units
from sprachbund.experiments.preparing.workshop import TEXT, Say, Workshop
from sprachbund.experiments.resumable import SUFFIX
from sprachbund.training.recipe import load_recipe


def prepare(plan: Plan, out: Path, say: Say) -> Path:
    """Make the folder and return its recipe; what an earlier call has finished is not done again.

    Args:
        plan: every choice.
        out: the folder.
        say: is told how it goes.

    Raises:
        SprachbundError: inputs that do not go together, or choices that differ from those of the folder.
    """
    load_recipe(base_recipe(plan.kind, plan.size), verb="pretrain")  # there may be none of this size
    _require_ours(out)
    shop = Workshop(plan, out, say)
    left_out = prepare_phones(shop, plan) if isinstance(plan, PhonePlan) else prepare_units(shop, plan)
    write_recipe(shop, plan)
    write_card(shop, plan, left_out)
    return shop.recipe


def _require_ours(out: Path) -> None:
    """Refuse a folder of something else, in which files would be overwritten."""
    is_ours = out.is_dir() and ((out / TEXT).is_dir() or any(out.glob(f"*{SUFFIX}")))
    if not is_ours and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError("the folder holds something else", where=out, mend="Give another folder.")
