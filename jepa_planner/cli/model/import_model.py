"""`jepa-planner model import`: released and fine-tuned V-JEPA 2 weights to a model bundle."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jepa_planner.cli.number_arguments import at_least
from jepa_planner.core.image_message import MAX_IMAGE_SIDE_PX

if TYPE_CHECKING:
    from jepa_planner.model.vjepa2.foreign_weights import FoundModel

HELP = "turn released V-JEPA 2 or V-JEPA 2-AC weights into a model bundle"
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="vjepa2-ac|vjepa2-encoder")
    whole = kinds.add_parser("vjepa2-ac", help="encoder and predictor of a V-JEPA 2-AC checkpoint")
    whole.add_argument("file", type=Path, metavar="CHECKPOINT", help="such as vjepa2-ac-vitg.pt, or a fine-tune of it")
    alone = kinds.add_parser("vjepa2-encoder", help="an encoder alone, to train a predictor on")
    alone.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a V-JEPA 2 checkpoint, or Hugging Face: a folder with config.json and model.safetensors, or that file",
    )
    alone.add_argument(
        "--key",
        choices=["encoder", "target_encoder", "ema_encoder"],
        help="which one of a checkpoint (default: encoder; of V-JEPA 2.1 ema_encoder, or else target_encoder)",
    )
    alone.add_argument(
        "--embedding",
        choices=["picture", "video"],
        help="V-JEPA 2.1 alone: see a camera's frame as a picture, or as a video that stands still (default: picture)",
    )
    for kind in (whole, alone):
        kind.add_argument("out", type=Path, metavar="OUT_DIR", help="where the bundle is written")
        kind.add_argument("--dtype", choices=list(DTYPES), default="fp32", help="numbers in the bundle (default: fp32)")
        kind.add_argument("--name", help="name of the model (default: that of the folder)")
        kind.add_argument("--force", action="store_true", help="replace a bundle that is there")
        sizes = kind.add_argument_group("sizes that the weights do not tell")
        sizes.add_argument(
            "--image-size",
            type=at_least(1, MAX_IMAGE_SIDE_PX),
            metavar="PX",
            help="width and height (default: that of config.json, or 256; of V-JEPA 2.1 384)",
        )
        sizes.add_argument("--encoder-head-width", type=at_least(1), metavar="N", help="default: 80 for ViT-H, else 64")
        meaning = kind.add_argument_group(
            "meaning, where it differs from the published planner (see docs/vjepa2_ac.md)"
        )
        meaning.add_argument(
            "--crop", type=float, metavar="ASPECT", help="width / height of the centre crop (default: 1)"
        )
        meaning.add_argument("--view", default="camera", help="the camera: images come from VIEW/image_raw")
        meaning.add_argument("--frame", default="panda_link0", help="base frame of poses (default: panda_link0)")
        meaning.add_argument("--tcp-frame", default="panda_link8", help="what poses are of (default: panda_link8)")
        meaning.add_argument("--time-step", type=float, default=0.25, metavar="S", help="per action (default: 0.25)")
        meaning.add_argument("--max-step", type=float, default=0.05, metavar="M", help="per axis (default: 0.05)")
        meaning.add_argument(
            "--reached-energy",
            type=float,
            default=0.0,
            metavar="E",
            help="at which a goal image counts as reached",
        )
    whole.add_argument("--predictor-head-width", type=at_least(1), metavar="N", help="default: 64")


def main(args: argparse.Namespace) -> int:
    """Find, check, write; a refusal is one line and leaves nothing behind."""
    import torch
    from tqdm import tqdm

    from jepa_planner.core.strict_fields import to_plain
    from jepa_planner.model.vjepa2.contract import ImportSettings, vjepa2_contract
    from jepa_planner.model.vjepa2.import_bundle import check_target, import_bundle, work_bytes
    from jepa_planner.planning.vjepa2_planner import vjepa2_planner

    settings = ImportSettings(
        name=args.name or args.out.absolute().name,
        view=args.view,
        crop_aspect=args.crop,
        frame=args.frame,
        tcp_frame=args.tcp_frame,
        time_step_s=args.time_step,
        max_step_m=args.max_step,
    )
    dtype = getattr(torch, DTYPES[args.dtype])
    try:
        source_model = _find(args)
        contract = vjepa2_contract(source_model, settings, shlex.join(["jepa-planner", *sys.argv[1:]]))
        planner_settings = to_plain(vjepa2_planner(args.max_step, args.reached_energy))
        check_target(args.out, args.force, source_model.files)
        with tqdm(total=work_bytes(source_model, dtype), desc=args.file.name, unit="B", unit_scale=True) as bar:
            import_bundle(source_model, contract, planner_settings, args.out, dtype, args.force, bar.update)
    except OSError as error:
        raise ValueError(error) from error
    print(_in_words(source_model, args))
    return 0


def _find(args: argparse.Namespace) -> FoundModel:
    from jepa_planner.model.vjepa2.ac_checkpoint import find_vjepa2_ac, find_vjepa2_encoder
    from jepa_planner.model.vjepa2.hugging_face import find_hf_encoder

    is_folder = args.file.is_dir()
    if not args.file.exists() or (is_folder and args.kind == "vjepa2-ac"):
        raise ValueError(f"{args.file}: no such file")
    size = (args.image_size, args.image_size) if args.image_size else None
    if args.kind == "vjepa2-ac":
        return find_vjepa2_ac(args.file, size or (256, 256), args.encoder_head_width, args.predictor_head_width)
    if is_folder or args.file.suffix == ".safetensors":
        if args.key or args.embedding:
            option = "--key" if args.key else "--embedding"
            raise ValueError(f"{option} chooses within a checkpoint; safetensors hold one encoder: leave it out")
        return find_hf_encoder(args.file, size, args.encoder_head_width)
    return find_vjepa2_encoder(args.file, size, args.encoder_head_width, args.key, args.embedding)


def _in_words(source_model: FoundModel, args: argparse.Namespace) -> str:
    encoder, predictor = source_model.encoder_config, source_model.predictor_config
    text = f"encoder {encoder.width} wide, {encoder.depth} deep, {encoder.heads} heads, {encoder.image_size[0]} px"
    if predictor:
        text += f"; predictor {predictor.width} wide, {predictor.depth} deep, {predictor.heads} heads"
    return f"{text}\nbundle written to {args.out}; what is uncertain about it stands under notes in its model.yaml"
