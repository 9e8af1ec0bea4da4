"""camera board, calibrate and check as a user types them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from drawn_boards import Look, draw, looking, pose, scene
from PIL import Image
from seen_corners import off
from typed import complaint

from jepa_planner.calibration.transforms import from_quaternion, quaternion_xyzw, xyz_m
from jepa_planner.cli.main import main
from jepa_planner.core.camera_calibration import load_cameras

COUNT = 5


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A scene and a folder of samples of it, with soft and noisy pictures."""
    s, folder = scene(COUNT, 1), tmp_path_factory.mktemp("samples")
    rows = []
    looks = [Look(0.5, 2.0, rng=np.random.default_rng(number)) for number in range(COUNT)]
    for number, (picture, tcp) in enumerate(zip(s.pictures(looks), s.base_from_tcp, strict=True)):
        Image.fromarray(picture).save(folder / f"{number}.png")
        place = {"xyz_m": list(xyz_m(tcp)), "quaternion_xyzw": list(quaternion_xyzw(tcp))}
        rows.append({"picture": f"{number}.png", **place})
    (folder / "samples.yaml").write_text(yaml.safe_dump({"frame": "base_link", "samples": rows}))
    return s, folder


@pytest.fixture(scope="module")
def calibrated(taken, tmp_path_factory) -> Path:
    """A bundle beside which the camera's calibration is kept, with a picture of the scene."""
    _, folder = taken
    bundle = tmp_path_factory.mktemp("bundle")
    given = ["--view", "front", "--model", str(bundle), "--reference", str(folder / "0.png"), "--table-z", "0"]
    assert main(["camera", "calibrate", str(folder), *given]) == 0
    return bundle


def tcp(s, number: int) -> list[str]:
    at = s.base_from_tcp[number]
    return ["--tcp", *map(str, (*xyz_m(at), *quaternion_xyzw(at)))]


def check(bundle: Path, *arguments: str) -> int:
    return main(["camera", "check", *arguments, "--view", "front", "--model", str(bundle)])


def test_a_calibration_is_kept_beside_the_bundle_and_is_right(taken, calibrated):
    s, _ = taken
    camera = load_cameras(calibrated)["front"]
    found = from_quaternion(camera.xyz_m, camera.quaternion_xyzw)
    millimetres, degrees = off(found, s.camera.base_from_camera)
    assert millimetres < 1.0 and degrees < 0.1
    assert (camera.frame, camera.samples, camera.table_z_m) == ("base_link", COUNT, 0.0)
    assert camera.board_pose.carrier == "tcp" and camera.reprojection_error_px < 0.1
    assert camera.reference_picture == "front_reference.png" and (calibrated / "front_reference.png").is_file()


def test_another_view_is_added(taken, calibrated, capsys):
    _, folder = taken
    file = calibrated / "cameras.yaml"
    assert main(["camera", "calibrate", str(folder), "--view", "side", "--cameras", str(file)]) == 0
    assert set(load_cameras(calibrated)) == {"front", "side"}
    said = capsys.readouterr().out
    assert "side: 5 samples, 120 corners, reprojection error 0.0" in said
    assert "better: 5 samples are few" in said and f"wrote {file}" in said


def test_the_board_says_whether_the_camera_moved(taken, calibrated, tmp_path, capsys):
    s, folder = taken
    assert check(calibrated, str(folder / "2.png"), *tcp(s, 2)) == 0
    assert check(calibrated, str(folder)) == 0
    pushed = looking((0.45, 0.0, 0.35), (1.25, 0.36, 0.75), 0.05)
    picture = draw(s.moved(pushed).camera, s.base_from_tcp[2] @ s.tcp_from_board)
    Image.fromarray(picture).save(tmp_path / "now.png")
    capsys.readouterr()
    assert check(calibrated, str(tmp_path / "now.png"), *tcp(s, 2)) == 1
    said = capsys.readouterr().out
    assert "front has moved, or the board hangs otherwise" in said and "the camera moved by" in said
    loose = ["--tolerance-px", "99", "--tolerance-mm", "99", "--tolerance-deg", "9"]
    assert check(calibrated, str(tmp_path / "now.png"), *tcp(s, 2), *loose) == 0


def test_the_reference_picture_says_whether_the_camera_moved(taken, calibrated, tmp_path, capsys):
    _, folder = taken
    seen = np.asarray(Image.open(folder / "0.png"))
    assert check(calibrated, str(folder / "0.png"), "--by", "reference") == 0
    Image.fromarray(np.roll(seen, 12, axis=1)).save(tmp_path / "now.png")
    assert check(calibrated, str(tmp_path / "now.png"), "--by", "reference") == 1
    assert "the scene is seen 12.0 px from where it was" in capsys.readouterr().out


def test_a_board_on_the_table_needs_three_touches_and_no_list(taken, tmp_path, capsys):
    s, _ = taken
    lying = pose([0.42, 0.05, 0.02], np.diag([1.0, -1.0, -1.0]))
    Image.fromarray(draw(s.camera, lying)).save(tmp_path / "table.png")
    info = {
        "image_width": 640, "image_height": 480, "distortion_model": "plumb_bob",
        "camera_matrix": {"data": s.camera.matrix.ravel().tolist()}, "distortion_coefficients": {"data": [0.0] * 5},
    }  # fmt: skip
    (tmp_path / "ost.yaml").write_text(yaml.safe_dump(info))
    corners = lying[:3, 3] + np.array([[0, 0, 0], [0.21, 0, 0], [0, -0.15, 0]])
    given = [
        "--view",
        "front",
        "--model",
        str(tmp_path),
        "--keep-intrinsics",
        "--camera-info",
        str(tmp_path / "ost.yaml"),
    ]
    touched = ["--board-pose", *map(str, corners.ravel())]
    assert main(["camera", "calibrate", str(tmp_path), *given, *touched]) == 0
    camera = load_cameras(tmp_path)["front"]
    assert off(from_quaternion(camera.xyz_m, camera.quaternion_xyzw), s.camera.base_from_camera)[0] < 2.0
    assert camera.board_pose.carrier == "base" and camera.table_z_m == pytest.approx(0.02)
    assert check(tmp_path, str(tmp_path / "table.png")) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nowhere"], "--model nowhere: no such folder"),
        ([], "give --model, the bundle that the camera is for, or --cameras"),
        (["--cameras", "c.yaml", "--square-mm", "24", "--marker-mm", "17.6"], "your squares look like 30.0 mm"),
        (["--cameras", "c.yaml", "--marker-mm", "40"], "marker_mm is 40; it must be less than square_mm, 30"),
        (["--cameras", "c.yaml", "--keep-intrinsics"], "--keep-intrinsics needs a lens"),
        (["--cameras", "c.yaml", "--camera-info", "ost.yaml"], "add --keep-intrinsics, or leave it out"),
        (["--cameras", "c.yaml", "--columns", "1"], "1 given; expected 2 or more"),
        (["--cameras", "c.yaml", "--columns", "5", "--rows", "7"], "0 samples with a pose of the tcp"),
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused_and_nothing_written(
    arguments, says, taken, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert says in complaint(capsys, "camera", "calibrate", str(taken[1]), "--view", "front", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give a picture from the camera, a folder of samples, or --live"),
        (["0.png"], "say where the tcp is with --tcp, or use --live"),
        (["0.png", "--view", "top"], "has no view top; it has"),
        (["black.png", "--by", "board"], "0 corners of the board seen"),
        (["black.png"], "0 places of the reference picture are found"),
        (["small.png", "--tcp", "0", "0", "0", "0", "0", "0", "1"], "the calibration 640 x 480"),
    ],
)
def test_a_check_that_tells_nothing_has_another_status(
    arguments, says, taken, calibrated, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(taken[1] / "0.png", tmp_path)
    Image.new("RGB", (640, 480)).save("black.png")
    with Image.open("0.png") as picture:
        picture.crop((0, 0, 639, 480)).save("small.png")
    given = ["--view", "front", "--model", str(calibrated)]
    assert says in complaint(capsys, "camera", "check", *given, *arguments)


@pytest.mark.parametrize("name", ["board.pdf", "board.png"])
def test_a_board_is_drawn(name, tmp_path, capsys):
    assert main(["camera", "board", "--out", str(tmp_path / name), "--dpi", "100"]) == 0
    assert (tmp_path / name).stat().st_size > 1000 and "print it without scaling" in capsys.readouterr().out
