"""What owns a running simulation: a copy would hold the same one, and end it for both when it goes."""

from __future__ import annotations

from typing import ClassVar, NoReturn

ANOTHER_ENV = (
    "make another with the same arguments and reset(seed=...) it to the same scene; foresee(action) looks ahead and "
    "leaves the scene as it is"
)


class Uncopyable:
    """Refuses `copy`, `deepcopy` and `pickle` before a copy exists. instead: what to do where one was wanted."""

    instead: ClassVar[str]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Raises TypeError, as other resources do."""
        raise TypeError(
            f"{type(self).__name__} owns a running simulation and can be neither copied nor pickled: {self.instead}"
        )
