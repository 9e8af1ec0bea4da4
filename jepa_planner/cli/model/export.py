"""`jepa-planner model export`: a model as ONNX, beside its weights."""

from __future__ import annotations

import argparse

HELP = "write encoder and predictor as ONNX into a model bundle, checked against torch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", default="", metavar="DIR", help="model bundle; the shipped one by default")


def main(args: argparse.Namespace) -> int:
    """Export, check, say how well it agrees."""
    from jepa_planner.model.bundle import model_folder
    from jepa_planner.model.onnx.export import export_bundle

    folder = model_folder(args.model)
    print(f"exporting {folder} (a minute) ...", flush=True)
    report = export_bundle(folder)
    for name in report.files:
        print(f"  {name}: {(folder / name).stat().st_size / 1e6:.1f} MB")
    print(
        f"largest difference to torch, relative: encoder {report.encoder_error:.1e}, "
        f"predictor {report.predictor_error:.1e}"
    )
    print("run it with --backend onnx, or the nodes' parameter backend")
    return 0
