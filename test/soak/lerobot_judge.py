"""What the package lerobot does with datasets; runs in an environment of its own, which has it.

read ROOT OUT.npz: every frame; write ROOT KIND CODEC: a dataset; edit ROOT: leaves out an episode, and joins twice the
rest, in ROOT-edited.
"""

import sys
from pathlib import Path

import numpy as np
import torch

operators = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):  # torchvision's own were compiled for another torch; nothing here runs them
    operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from lerobot.datasets.dataset_tools import delete_episodes, merge_datasets  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402

NAMES = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]


def opened(root: str) -> LeRobotDataset:
    return LeRobotDataset("judge/some", root=root, video_backend="pyav")


def read(root: str, out: str) -> None:
    dataset = opened(root)
    frames = [dataset[number] for number in range(len(dataset))]
    columns = {key: np.stack([np.asarray(frame[key]) for frame in frames]) for key in frames[0] if key != "task"}
    stats = {f"stats/{key}": np.asarray(values["mean"]) for key, values in dataset.meta.stats.items()}
    np.savez(out, **columns, **stats, task=[frame["task"] for frame in frames], fps=dataset.fps)


def write(root: str, kind: str, codec: str) -> None:
    numbers = {"dtype": "float32", "shape": (7,), "names": NAMES}
    names = ["height", "width", "channels"]
    features = {
        "observation.state": numbers, "action": numbers,
        "next.success": {"dtype": "bool", "shape": (1,), "names": None},
        "observation.images.front": {"dtype": kind, "shape": (96, 128, 3), "names": names},
        "observation.images.wrist": {"dtype": kind, "shape": (64, 64, 3), "names": names},
    }  # fmt: skip
    dataset = LeRobotDataset.create(
        "judge/some", fps=10, features=features, root=root, robot_type="arm", use_videos=kind == "video", vcodec=codec
    )
    rng = np.random.default_rng(0)
    for episode, count in enumerate((21, 31, 12)):
        walk = np.cumsum(rng.normal(0.0, [0.01] * 3 + [0.02] * 3 + [1.0], (count + 1, 7)), axis=0)
        walk = (walk + np.array([0.4, 0.0, 0.3, 3.0, 0.0, 0.0, 10.0])).astype(np.float32)
        for row in range(count):
            y, x = np.mgrid[:96, :128]
            front = np.stack([x + 2 * row, 2 * y, np.full_like(x, 40 * episode + row)], axis=-1)
            dataset.add_frame({
                "observation.state": walk[row], "action": walk[row + 1],
                "observation.images.front": front.astype(np.uint8),
                "observation.images.wrist": np.full((64, 64, 3), (5 * row, 60 * episode, 128), np.uint8),
                "next.success": np.array([row == count - 1 and episode != 1]),
                "task": ["pick", "push", "pick"][episode],
            })  # fmt: skip
        dataset.save_episode()
    dataset.finalize()


def edit(root: str) -> None:
    rest = delete_episodes(opened(root), [1], output_dir=Path(f"{root}-rest"), repo_id="judge/rest")
    rest = opened(str(rest.root))
    merge_datasets([rest, rest], output_repo_id="judge/edited", output_dir=Path(f"{root}-edited"))


if __name__ == "__main__":
    {"read": read, "write": write, "edit": edit}[sys.argv[1]](*sys.argv[2:])
