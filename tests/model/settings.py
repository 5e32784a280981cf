"""The settings that are explored whole, and what was found in them: a world that shrinks unnoticed would prove less and less."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.parts import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """How many states a setting has, and how many steps its farthest state is away."""

    setting: Setting
    states: int
    depth: int


# Seconds each; the first is that of the protocol's own model, the others have one more scaler, a record that is lost, and a new
# template.
IN_MAKE_TEST = (
    Explored(setting=Setting(boots=3, size=2, scalers=2, foreign=1), states=171_117, depth=51),
    Explored(setting=Setting(boots=3, size=2, scalers=3, foreign=1), states=485_036, depth=53),
    Explored(setting=Setting(boots=3, size=2, scalers=2, foreign=1, losses=1), states=383_239, depth=51),
    Explored(setting=Setting(boots=3, size=2, scalers=2, foreign=0, rollouts=1), states=85_191, depth=47),
)

# What `make check-model` explores besides.
LARGER = (
    Explored(setting=Setting(boots=2, size=2, scalers=3, foreign=0, rollouts=1), states=181_371, depth=48),
    Explored(setting=Setting(boots=2, size=2, scalers=2, foreign=0, rollouts=2), states=73_915, depth=49),
    Explored(setting=Setting(boots=3, size=2, scalers=2, foreign=2), states=371_419, depth=51),
    Explored(setting=Setting(boots=3, size=3, scalers=2, foreign=1), states=472_069, depth=54),
    Explored(setting=Setting(boots=4, size=3, scalers=2, foreign=1), states=1_302_187, depth=57),
    Explored(setting=Setting(boots=4, size=2, scalers=3, foreign=2), states=2_779_782, depth=56),
)
