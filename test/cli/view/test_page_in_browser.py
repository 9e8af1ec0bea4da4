"""The page in a real browser, on the simulated robot as `jepa-planner run --sim` starts it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa_planner.cli.view.overlay import CANDIDATES
from jepa_planner.nodes.client import PlannerClient
from jepa_planner.nodes.conversions import picture_to_array

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no chromium: as root, `apt-get install chromium`", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright: make setup brings it")

SEED = 1_000_000
START_S, GOAL_S, SOON_S = 120.0, 120.0, 20.0
ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def program(*arguments: str) -> subprocess.Popen:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "sim"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-u", "-m", "jepa_planner.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": paths}
    environment.pop("PYTEST_CURRENT_TEST", None)  # NiceGUI takes it for a test of its own
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> int:
    process.terminate()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def address_of(view: subprocess.Popen) -> str:
    """What it prints once it is there; then until it is served."""
    line = view.stdout.readline()
    address = re.search(r"the page is at (\S+) until", line)[1]
    until(lambda: status_of(address) is not None, START_S)
    return address


def status_of(address: str, cookie: str = "") -> int | None:
    request = urllib.request.Request(address, headers={"Cookie": cookie} if cookie else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def until(condition: Callable[[], object], timeout_s: float = SOON_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {timeout_s} s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recorded")


@pytest.fixture(scope="module")
def address(recorded, tmp_path_factory) -> Iterator[str]:
    """Of the page on a simulated robot, with a library of goals of their own."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("library"))
    robot = program("run", "--sim", "--record", str(recorded), "--log-level", "error")
    view = program("view", "--port", str(free_port()), "--goals", str(recorded))
    try:
        yield address_of(view)
    finally:
        del os.environ["XDG_DATA_HOME"]
        assert [end(view), end(robot)] == [0, 0]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """The page in a tab, by the names of its parts."""

    def __init__(self, browser, address: str) -> None:
        self.page = browser.new_page(viewport={"width": 1400, "height": 1000})
        self.page.goto(address)
        until(lambda: self.text("mode") not in ("", "unknown"), START_S)
        until(lambda: (self.text("age-front"), self.text("age-side")) == ("now", "now"), START_S)

    def part(self, name: str):
        return self.page.get_by_test_id(name)

    def text(self, name: str) -> str:
        return " ".join(self.part(name).all_text_contents()).strip()

    def messages(self) -> str:
        return " ".join(self.page.locator(".q-notification").all_text_contents())

    def upload(self, view: str, *files: Path) -> None:
        self.page.locator(f".upload-{view} input[type=file]").set_input_files(list(files))

    def pictures(self) -> int:
        return self.part("preview").locator("img").count()

    def send_simulators_goal(self) -> None:
        self.part("simulator").click()
        until(lambda: self.pictures() >= 2)
        self.part("send").click()


@pytest.fixture
def client(address, ros) -> Iterator[PlannerClient]:
    with PlannerClient() as client:
        client.wait_for_planner(START_S)
        yield client


@pytest.fixture
def opened(browser, address, client) -> Iterator[Opened]:
    """The page on a scene as it is at the start."""
    opened = Opened(browser, address)
    client.set_up_task("pick_place", SEED)
    until(lambda: opened.text("mode") == "holding")
    yield opened
    opened.page.close()


def ended(opened: Opened) -> int:
    return opened.part("past").locator("*").count()


def test_cameras_are_live_and_a_click_tells_the_cameras_own_pixel(opened):
    image = opened.part("live-front").locator("img")
    assert image.get_attribute("src").startswith("data:image/jpeg;base64,")
    box = opened.part("live-front").bounding_box()
    opened.part("live-front").click(position={"x": box["width"] / 2, "y": box["height"] / 4})
    until(lambda: "pixel" in opened.text("pointing"))
    x, y = map(float, re.search(r"front: pixel ([\d.]+), ([\d.]+) of 64 x 64", opened.text("pointing")).groups())
    assert abs(x - 32) < 1 and abs(y - 16) < 1


def test_a_goal_is_sent_is_drawn_and_reached_and_can_be_played_afterwards(opened, recorded):
    opened.send_simulators_goal()
    until(lambda: "reached at" in opened.text("goal"), GOAL_S)
    drawn = opened.part("live-front").locator("svg circle")
    until(lambda: drawn.count() > 0, GOAL_S)
    tried = opened.part("live-side").locator(f"svg g[stroke='{CANDIDATES}'] line")
    until(lambda: tried.count() > 20, GOAL_S)
    assert opened.part("aim").locator("img").count() == 2
    until(lambda: "REACHED (0)" in opened.text("past"), GOAL_S)
    until(lambda: opened.text("sent").startswith("REACHED: "))
    assert opened.part("imagined").locator("img").count() == 8  # two views, the last step among them
    assert re.search(r"came [\d.e-]+ off what was imagined; from no change, ", opened.text("imagined-why"))
    assert "objects are" in opened.text("verdict")
    until(lambda: "beyond 1 the planner stops" in opened.text("unfamiliar"))
    until(lambda: any(recorded.glob("*/metadata.yaml")), GOAL_S)
    opened.page.get_by_role("tab", name="recorded goals").click()
    opened.page.get_by_role("button", name="Look again").click()
    opened.part("recorded").click()
    opened.page.get_by_role("option").first.click()
    until(lambda: "s: " in opened.text("recorded-text"))
    opened.part("play").click()
    until(lambda: "(code 0), after" in opened.text("recorded-text"), 60.0)
    assert opened.page.locator(".q-img img").count() >= 2


def red_place(message) -> tuple[float, float]:
    """The middle, column and row, of what is red in a picture."""
    pixels = picture_to_array(message).astype(int)
    rows, columns = np.nonzero((pixels[..., 0] > 2 * pixels[..., 1]) & (pixels[..., 0] > 90))
    return float(np.median(columns)), float(np.median(rows))


def click_pixel(opened: Opened, view: str, xy_px: tuple[float, float]) -> None:
    box = opened.part(f"live-{view}").bounding_box()
    x, y = ((at + 0.5) / 64 * box[side] for at, side in zip(xy_px, ("width", "height"), strict=True))
    opened.part(f"live-{view}").click(position={"x": x, "y": y})


def test_a_thing_and_its_place_are_clicked_and_it_is_put_there(opened, client):
    before = ended(opened)
    there = red_place(client.set_up_task("pick_place", SEED, "one").goals[0].views[0])
    here = red_place(client.look().goal.compressed_views[0])
    opened.part("point").click()
    until(lambda: "click a thing" in opened.text("pointing"))
    click_pixel(opened, "front", here)
    until(lambda: "click where it should be, in front" in opened.text("pointing"))
    click_pixel(opened, "front", there)
    until(lambda: opened.text("pointing").startswith("look at the goal picture"), GOAL_S)
    assert opened.pictures() == 2 and ended(opened) == before  # nothing is sent that nobody has looked at
    opened.part("send").click()
    until(lambda: ended(opened) > before, GOAL_S)
    until(lambda: opened.text("sent").startswith("REACHED"))
    assert client.task_status().solved


def test_where_nothing_can_be_grasped_the_page_says_so(opened):
    opened.part("point").click()
    until(lambda: "click a thing" in opened.text("pointing"))
    click_pixel(opened, "front", (4, 60))
    until(lambda: "click where" in opened.text("pointing"))
    click_pixel(opened, "side", (30, 30))
    until(lambda: "the click was in side" in opened.text("pointing"))
    opened.part("point").click()
    until(lambda: "click a thing" in opened.text("pointing"))
    click_pixel(opened, "front", (4, 60))
    until(lambda: "click where" in opened.text("pointing"))
    click_pixel(opened, "front", (30, 50))
    until(lambda: "nothing that could be grasped" in opened.text("pointing"), GOAL_S)
    assert opened.pictures() == 0


def test_escape_stops_the_arm_until_it_is_reset(opened):
    opened.page.keyboard.press("Escape")
    until(lambda: opened.text("mode") == "stopped")
    assert "~/stop was called" in opened.text("reason")
    opened.part("take").click()
    until(lambda: opened.pictures() == 2)
    opened.part("send").click()
    until(lambda: "ARM_STOPPED (13)" in opened.text("past"), GOAL_S)
    assert opened.text("mode") == "stopped"
    opened.part("reset").click()
    until(lambda: opened.text("mode") == "holding")


def test_the_button_stops_in_mid_goal(opened):
    before = ended(opened)
    opened.send_simulators_goal()
    until(lambda: opened.text("goal").startswith("goal picture"), GOAL_S)
    opened.part("stop").click()
    until(lambda: opened.text("mode") == "stopped")
    until(lambda: ended(opened) > before, GOAL_S)


def test_the_present_pictures_are_a_goal_that_is_reached_at_once(opened):
    before = ended(opened)
    opened.part("take").click()
    until(lambda: opened.pictures() == 2)
    opened.part("send").click()
    until(lambda: ended(opened) > before, GOAL_S)
    until(lambda: opened.text("sent").startswith("REACHED"))


def test_a_saved_goal_is_chosen_looked_at_and_sent(opened):
    with PlannerClient() as client:
        client.look("as_it_was")
    before = ended(opened)
    opened.part("saved").click()
    opened.page.get_by_role("option", name="as_it_was").click()
    until(lambda: opened.pictures() == 2)
    opened.part("send").click()
    until(lambda: ended(opened) > before, GOAL_S)
    until(lambda: opened.text("sent").startswith("REACHED"))


def test_bad_uploads_are_refused_in_words_and_good_ones_are_shown(opened, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    Image.new("RGB", (128, 64)).save(tmp_path / "wide.png")
    Image.new("RGB", (64, 64), (90, 80, 70)).save(tmp_path / "good.png")
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(21_000_000)
    opened.upload("front", tmp_path / "notes.png")
    until(lambda: "cannot read the picture notes.png" in opened.messages())
    opened.upload("front", tmp_path / "wide.png")
    until(lambda: "wide.png: the image is 64 x 64 pixels and the goal 128 x 64" in opened.messages())
    opened.upload("front", tmp_path / "large.png")
    until(lambda: "too large; expected a picture file of at most 20 MB" in opened.messages())
    assert opened.pictures() == 0
    opened.upload("front", tmp_path / "good.png")
    until(lambda: opened.pictures() == 1)
    opened.part("send").click()
    until(lambda: "front has 1, side has 0" in opened.messages())
    opened.upload("side", tmp_path / "good.png")
    until(lambda: opened.pictures() == 2)
    before = ended(opened)
    opened.part("send").click()
    until(lambda: ended(opened) > before, GOAL_S)
    assert "UNFAMILIAR_GOAL" in opened.text("past")


def test_a_goal_is_cancelled(opened):
    opened.send_simulators_goal()
    until(lambda: opened.text("goal").startswith("goal picture"), GOAL_S)
    opened.part("cancel").click()
    until(lambda: "CANCELLED (2)" in opened.text("past"), GOAL_S)


def test_closing_the_browser_leaves_the_goal_going_on(browser, address, opened):
    before = ended(opened)
    opened.send_simulators_goal()
    until(lambda: opened.text("goal").startswith("goal picture"), GOAL_S)
    opened.page.close()
    again = Opened(browser, address)
    until(lambda: ended(again) > before, GOAL_S)
    newest = again.part("past").locator("*").first.text_content()
    assert "CANCELLED" not in newest and "ARM_STOPPED" not in newest
    again.page.close()


def test_others_need_the_token_for_the_page_and_for_its_websocket(browser):
    port = free_port()
    view = program("view", "--host", "127.0.0.2", "--port", str(port))
    try:
        address = address_of(view)
        plain, token = address.split("?token=")
        assert status_of(plain) == 403 and status_of(f"{plain}?token=wrong") == 403 and status_of(address) == 200
        assert status_of(plain, f"jepa_planner_view_{port}={token}") == 200
        socket_io = f"{plain}_nicegui_ws/socket.io/?EIO=4&transport=polling"
        assert status_of(socket_io) == 403 and status_of(socket_io, f"jepa_planner_view_{port}={token}") == 200
        assert upgraded("127.0.0.2", port, "") == 403
        assert upgraded("127.0.0.2", port, f"Cookie: jepa_planner_view_{port}={token}\r\n") == 101
        page = browser.new_page()
        page.goto(address)
        page.get_by_test_id("reason").wait_for(state="visible")  # of a page whose websocket is open
        until(lambda: page.get_by_test_id("mode").text_content())
        page.close()
    finally:
        assert end(view) == 0


def upgraded(host: str, port: int, headers: str) -> int:
    """The status with which a websocket is answered; 101 opens it."""
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    with socket.create_connection((host, port), timeout=10) as asked:
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}:{port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"{key}{headers}",
        )
        request = "\r\n".join(lines) + "\r\n"
        asked.sendall(request.encode())
        return int(asked.recv(100).split()[1])
