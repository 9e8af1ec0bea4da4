"""`python -m studies NAME`, from the root of the source tree."""

import sys

from jepa_planner.cli.main import Verbs

MOVED = {
    "doubts": "it is `python -m studies out-of-distribution` now",
}
STUDIES = Verbs("python -m studies", "What was tried once to learn something.", "studies", moved=MOVED)


def main(arguments: list[str] | None = None) -> int:
    """Runs one study; the exit status is that of `jepa-planner`."""
    return STUDIES.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
