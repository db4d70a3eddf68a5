"""Options that belong together: a verb takes them as one parameter, and the command line gives each of them."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def takes_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Let the command line give a verb every field of those of its parameters that are dataclasses.

    Their fields are annotated as the parameters of a verb are; no name may come twice.
    """
    hints = get_type_hints(verb, include_extras=True)
    own = inspect.signature(verb).parameters
    groups = {name: hints[name] for name in own if isinstance(hints[name], type) and is_dataclass(hints[name])}
    fields = {name: inspect.signature(group).parameters for name, group in groups.items()}

    @wraps(verb)
    def with_options(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field in fields[name]})
        verb(**values)

    shown = [parameter for name, parameter in own.items() if name not in groups]
    shown += [field for group in fields.values() for field in group.values()]
    known = {name: hint for name, hint in hints.items() if name not in groups and name != "return"}
    for group in groups.values():
        known |= get_type_hints(group, include_extras=True)
    # Typer reads both.
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shown]
    vars(with_options)["__signature__"] = inspect.Signature(parameters)
    with_options.__annotations__ = {parameter.name: known[parameter.name] for parameter in shown}
    return with_options
