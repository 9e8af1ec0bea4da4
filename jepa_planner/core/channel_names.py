"""Names of the numbers in arm states and actions, as files of before spell them."""

from __future__ import annotations

from collections.abc import Iterable

OLDER_NAMES = {
    "closedness_commanded": "closure_commanded",
    "closedness_measured": "closure_measured",
    "dclosedness": "dclosure",
}
"""Present names by those of before."""


def present_names(channels: Iterable[str]) -> tuple[str, ...]:
    """Channels by the names that they have now; other names stay as they are."""
    return tuple(OLDER_NAMES.get(name, name) if isinstance(name, str) else name for name in channels)
