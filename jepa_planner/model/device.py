"""Where a model runs."""

import torch


def best_device() -> str:
    """The name of a GPU if there is one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def usable_device(device: str | torch.device) -> torch.device:
    """The device of a name; raises ValueError where there is no such name or no such device."""
    try:
        usable = torch.device(device)
        torch.empty(1, device=usable)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch built without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device {str(device)!r} cannot be used: {reason}; expected cpu, or cuda with a GPU"
        ) from error
    return usable
