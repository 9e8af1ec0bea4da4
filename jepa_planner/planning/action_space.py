"""Which actions a search may try: bounds per axis, axes that are held, the gripper's dead band."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from jepa_planner.core.arm_layout import AXES, GRIPPER
from jepa_planner.core.ranges import NotNegative, check_ranges


@dataclass(frozen=True)
class ActionSpace:
    """Bounds of an action [A], in m, rad and closure. Raises ValueError where lengths or signs are wrong."""

    max_abs: tuple[float, ...]
    """Largest magnitude per axis; 0 holds an axis, and searches draw no numbers for it."""
    initial_std: tuple[float, ...] | None = None
    """Spread of the first candidates per axis; None stands for max_abs."""
    gripper_deadband: NotNegative = 0.0
    """A planned gripper change smaller than this becomes 0."""
    gripper_full_strokes: bool = False
    """Whether any other closes or opens the gripper all the way, see `executable`; needs a max_abs of 1 for it."""

    def __post_init__(self) -> None:
        check_ranges(self)
        for name, values in (("max_abs", self.max_abs), ("initial_std", self.initial_std or self.max_abs)):
            if len(values) != AXES or not all(0.0 <= value < math.inf for value in values):
                raise ValueError(f"{name} is {values}; expected {AXES} finite numbers >= 0")
        if not any(self.max_abs):
            raise ValueError("max_abs is 0 on every axis; nothing is left to plan")
        if not self.std.any():
            raise ValueError("initial_std is 0 on every axis that may change; all candidates would be the same")
        if self.gripper_full_strokes and self.max_abs[GRIPPER] < 1.0:
            raise ValueError(
                f"gripper_full_strokes with max_abs {self.max_abs[GRIPPER]} for the gripper; a full stroke needs 1.0"
            )

    @property
    def free_axes(self) -> list[int]:
        """Axes that may change."""
        return [axis for axis, bound in enumerate(self.max_abs) if bound > 0.0]

    @property
    def std(self) -> Tensor:
        """Spread of the first candidates [A]; 0 on held axes."""
        spread = torch.tensor(self.initial_std or self.max_abs)
        return spread * (torch.tensor(self.max_abs) > 0.0)

    def clip(self, actions: Tensor) -> Tensor:
        """Actions [.., A] within the bounds."""
        bound = torch.tensor(self.max_abs, dtype=actions.dtype, device=actions.device)
        return torch.maximum(torch.minimum(actions, bound), -bound)

    def finish(self, actions: Tensor) -> Tensor:
        """Actions [.., A] within the bounds and with the gripper's dead band: what may leave a search."""
        actions = self.clip(actions)
        actions[..., GRIPPER].masked_fill_(actions[..., GRIPPER].abs() < self.gripper_deadband, 0.0)
        return actions

    def executable(self, actions: Tensor, closure: Tensor) -> Tensor:
        """Finished action sequences [.., H, A] whose gripper changes are those that really happen from `closure` on.

        An open gripper cannot open further. Without this a search finds commands that do nothing on the arm but
        something in the predictor, which hardly ever saw them: it then rests centimetres before the goal.

        With gripper_full_strokes, a change becomes one to fully open or closed. A gripper that is half closed around an
        object holds it loosely, and loses it when it opens by less than any picture shows; no plan sees that coming.
        """
        actions = actions.clone()
        for step in range(actions.shape[-2]):
            change = actions[..., step, GRIPPER]
            if self.gripper_full_strokes:
                change = change.sign()
            after = (closure + change).clamp(0.0, 1.0)
            actions[..., step, GRIPPER] = after - closure
            closure = after
        return actions
