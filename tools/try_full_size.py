"""Tries a checkpoint of the released size: random weights, imported, loaded, one picture encoded, one step imagined.

    python tools/try_full_size.py out/full_size --dtype bf16        # 11 GB on disk while it runs, 6 GB of memory

Prints JSON: sizes, seconds, and the peak of resident memory of each process, mapped pages included. --keep leaves the
files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OPTIMIZER_NUMBERS = 250_000_000
SCALING = ("state_mean", "state_std", "action_std")  # of our predictor; no part of the released layout


def make_checkpoint(path: Path) -> None:
    """Random bf16 weights in the layout, the names and the shapes of vjepa2-ac-vitg.pt, with some optimizer state."""
    import torch

    from jepa_planner.model.encoder import EncoderConfig, VideoEncoder
    from jepa_planner.model.predictor import ActionConditionedPredictor, PredictorConfig

    encoder = EncoderConfig(image_size=(256, 256), width=1408, depth=40, heads=22, mlp_hidden=6144)
    predictor = PredictorConfig(
        latent_channels=1408, grid=encoder.grid, width=1024, depth=24, heads=16, mlp_hidden=4096
    )  # fmt: skip
    torch.manual_seed(0)

    def weights(module: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
        shapes = {name: value.shape for name, value in module.state_dict().items() if name not in SCALING}
        return {prefix + name: 0.02 * torch.randn(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}

    with torch.device("meta"):
        modules = VideoEncoder(encoder), ActionConditionedPredictor(predictor)
    parts = {"encoder": weights(modules[0], "module.backbone."), "predictor": weights(modules[1], "module.")}
    parts["target_encoder"] = {name: tensor.clone() for name, tensor in parts["encoder"].items()}
    parts["opt"] = {"state": {0: {"exp_avg": torch.zeros(OPTIMIZER_NUMBERS)}}}
    torch.save({**parts, "scaler": None, "epoch": 315, "loss": 0.5, "batch_size": 8, "world_size": 32, "lr": 0.0}, path)


def use(bundle: Path, dtype: str) -> dict[str, float]:
    """Seconds to load the bundle, to encode a picture and to imagine one step of one candidate (the second time)."""
    import numpy as np
    import torch

    from jepa_planner.model.world_model import Context, WorldModel

    began_s = time.perf_counter()
    model = WorldModel.load(bundle, dtype=dtype)
    seconds = {"load": time.perf_counter() - began_s}
    images = np.random.default_rng(0).integers(0, 256, (1, 1, 360, 640, 3), dtype=np.uint8)
    actions = torch.zeros(1, 1, 7)
    for _ in range(2):
        began_s = time.perf_counter()
        latents = model.encode(images)
        seconds["encode"] = time.perf_counter() - began_s
        began_s = time.perf_counter()
        predicted = model.rollout(Context(latents, torch.zeros(1, 7), torch.zeros(0, 7)), actions)
        seconds["step"] = time.perf_counter() - began_s
    assert predicted.shape == (1, 1, 256, 1408) and predicted.isfinite().all()
    return seconds


def measured(*command: str) -> dict[str, object]:
    """Runs a command; its seconds, peak resident memory and, where it prints JSON last, that."""
    began_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    result = {"seconds": round(time.perf_counter() - began_s, 1), "peak_gb": round(usage.ru_maxrss * 1024 / 1e9, 2)}
    last = output.strip().rsplit("\n", 1)[-1]
    return {**result, **json.loads(last)} if last.startswith("{") else result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=["fp32", "bf16", "fp16"], default="bf16", help="numbers in the bundle")
    parser.add_argument("--arithmetic", nargs="*", default=["float32"], help="float32, bfloat16, float16")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--step", choices=["make", "use"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    checkpoint, bundle = args.folder / "vjepa2-ac-vitg.pt", args.folder / "bundle"
    if args.step == "make":
        make_checkpoint(checkpoint)
        return
    if args.step == "use":
        print(json.dumps({name: round(value, 2) for name, value in use(bundle, args.arithmetic[0]).items()}))
        return
    args.folder.mkdir(parents=True)
    again = (sys.executable, __file__, str(args.folder))
    try:
        report: dict[str, object] = {"make": measured(*again, "--step", "make")}
        report["checkpoint_gb"] = round(checkpoint.stat().st_size / 1e9, 2)
        arguments = ("vjepa2-ac", str(checkpoint), str(bundle), "--dtype", args.dtype)
        report["import"] = measured(sys.executable, "-m", "jepa_planner.cli.main", "model", "import", *arguments)
        report["bundle_gb"] = round(sum(file.stat().st_size for file in bundle.iterdir()) / 1e9, 2)
        for dtype in args.arithmetic:
            report[f"use in {dtype}"] = measured(*again, "--step", "use", "--arithmetic", dtype)
        print(json.dumps(report, indent=1))
    finally:
        if not args.keep:
            shutil.rmtree(args.folder)


if __name__ == "__main__":
    main()
