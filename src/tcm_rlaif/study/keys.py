"""What a parameter may be (numbers that YAML cannot mistake, shares, seeds, names), and how one is documented."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

OURS = "our choice"


def _no_bool(value: Any) -> Any:
    # YAML reads `on`, `yes`, `no` as booleans, and Python would take True for the number 1.
    if isinstance(value, bool):
        raise ValueError("a number is needed, not yes/no/on/off/true/false")
    return value


Int = Annotated[int, BeforeValidator(_no_bool), Field(le=10**7)]  # beyond it something else was meant
Float = Annotated[float, BeforeValidator(_no_bool)]  # also takes the string "1e-5", which YAML 1.1 makes of 1e-5
Positive = Annotated[Int, Field(ge=1)]
Names = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)  # one name may stand without []
Seed = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, lt=2**32)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)]


def key(default: Any, meaning: str, unit: str = "", source: str = OURS, **limits: Any) -> Any:
    """One documented parameter: default, meaning, unit, where the value comes from, and pydantic's limits."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit, "source": source}, **limits)
