"""Camera images to latents."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from sensor_msgs.msg import Image

from jepa_planner.control.watchdog import Watchdog
from jepa_planner.core.aspect import check_same_aspect
from jepa_planner.core.observation import Observation
from jepa_planner.core.picture_file import PictureError
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.model.contract import ContractError
from jepa_planner.msg import Latent
from jepa_planner.nodes import qos
from jepa_planner.nodes.conversions import ConversionError, image_to_array, seconds
from jepa_planner.nodes.latents import latent_message
from jepa_planner.nodes.looking import look
from jepa_planner.nodes.models import MODEL_PARAMETERS, goal_library, model_id, world_model
from jepa_planner.nodes.parameters import Parameter
from jepa_planner.nodes.planner_node import PlannerNode
from jepa_planner.nodes.view_pairing import ViewPairing
from jepa_planner.srv import EncodeImages, Look

SILENCE_S = 0.5
"""Sooner than mpc_node ends a goal for want of an image, so that it can say why none comes."""
Listener = Callable[[Observation], None]
"""Called with an observation whose time is that of its oldest image: its stamp, or its arrival if earlier."""


class EncoderNode(PlannerNode):
    """Encodes images of one moment, one of every view; publishes `latent`, serves `~/encode` and `~/look`.

    Nodes in the same process listen instead of subscribing, so that latents never leave it.
    """

    PARAMETERS = (
        *MODEL_PARAMETERS,
        Parameter("image_topics", [""], "One topic per view of the model, in order; empty: VIEW/image_raw."),
        Parameter("sync_tolerance_s", 0.03, "Images of one moment may differ by this much.", 0.0, 1.0),
    )

    def __init__(self, **options) -> None:
        super().__init__("encoder_node", **options)
        self._listeners: list[tuple[Listener, Callable[[float], bool]]] = []
        self._encoded = 0
        self._seconds = 0.0
        self._status = OK
        self._seen_s: float | None = None

    def listen(self, listener: Listener, wanted: Callable[[float], bool]) -> None:
        """Passes observations to a function, in this node's thread, if those of their time (s) are wanted."""
        self._listeners.append((listener, wanted))

    def configure(self) -> None:
        parameters = self.parameters
        self._model = world_model(parameters)
        self.model_id = model_id(self._model.contract)
        self.get_logger().info(f"{self.model_id} runs on {self._model.backend}")
        image = self._model.contract.image
        self._model.observe(np.zeros((1, len(image.views), image.height, image.width, 3), np.uint8))  # warms it up
        self._views = views = image.views
        topics = [topic for topic in parameters["image_topics"] if topic] or [f"{view}/image_raw" for view in views]
        if len(topics) != len(views):
            raise ValueError(
                f"image_topics names {len(topics)} topics; this model needs {len(views)}: {', '.join(views)}"
            )
        self._pairing: ViewPairing[tuple[float, Image]] = ViewPairing(len(views), parameters["sync_tolerance_s"])
        self._seen_size: tuple[int, int] | None = None
        self._goal_size: tuple[int, int] | None = None
        self._latents = self.create_lifecycle_publisher(Latent, "latent", qos.STREAM)
        self._images = [
            self.create_subscription(Image, topic, partial(self._on_image, view), qos.SENSOR)
            for view, topic in enumerate(topics)
        ]
        self._watchdogs = [
            Watchdog(f"image on {images.topic_name}", SILENCE_S, self.lead_tolerance_s(), "encoder_node")
            for images in self._images
        ]
        self._moment: Sequence[Image] = ()
        library = goal_library(self._model.contract)
        self._services_ = (
            self.create_service(EncodeImages, "~/encode", self._on_encode),
            self.create_service(Look, "~/look", partial(look, views, library, self._seen_now)),
        )

    def cleanup(self) -> None:
        for subscription in self._images:
            self.destroy_subscription(subscription)
        for service in self._services_:
            self.destroy_service(service)
        self.destroy_lifecycle_publisher(self._latents)

    def health(self) -> tuple[Status, dict[str, object]]:
        numbers = {
            "model": self.model_id,
            "backend": self._model.backend,
            "encoded": self._encoded,
            "seconds_per_image": round(self._seconds, 4),
            "image_delay_s": [round(watchdog.delay_s, 3) for watchdog in self._watchdogs],
        }
        return self._why_nothing_is_seen() if self._is_silent else self._status, numbers

    @property
    def _is_silent(self) -> bool:
        return self._seen_s is None or time.monotonic() - self._seen_s > SILENCE_S

    def _seen_now(self) -> Sequence[Image]:
        """The newest picture of each view as it came; raises ValueError saying why there is none."""
        if not self.active:
            raise ValueError("encoder_node is not active")
        if self._is_silent:
            raise ValueError(self._why_nothing_is_seen().text)
        return self._moment

    def encode(self, images: Sequence[Image]) -> Observation:
        """What `WorldModel.observe` gives of one image per view.

        Raises ConversionError or ContractError saying what is wrong.
        """
        views = [self._pixels(number, image) for number, image in enumerate(images)]
        if not views or any(view.shape != views[0].shape for view in views):
            shapes = [list(view.shape) for view in views]
            raise ConversionError(f"views are {shapes}; expected one image of the same size per view of the model")
        return self._model.observe(np.stack(views)[None])[0]

    def _pixels(self, number: int, image: Image) -> np.ndarray:
        try:
            return image_to_array(image)
        except ConversionError as error:
            name = self._views[number] if number < len(self._views) else number + 1
            raise ConversionError(f"view {name}: {error}") from error

    def _why_nothing_is_seen(self) -> Status:
        now_s = self.now_s()
        silent = [images for images, dog in zip(self._images, self._watchdogs, strict=True) if dog.stamp_s is None]
        if silent and now_s > 0:
            return self.nothing_came_on(silent)
        for watchdog in self._watchdogs:
            if not (status := watchdog.status(now_s)).ok:
                return status
        if (spread_s := self._pairing.spread_s()) is None:
            return Status(StatusCode.NOTHING_CAME, f"no complete set of images within the last {SILENCE_S} s")
        topics, tolerance_s = " and ".join(images.topic_name for images in self._images), self._pairing.tolerance_s
        text = f"the newest stamps differ by {spread_s:.3f} s, sync_tolerance_s is {tolerance_s:g}: {topics}"
        return Status(StatusCode.UNUSABLE, text)

    def encode_goal(self, images: Sequence[Image]) -> Observation:
        """`encode` for pictures that did not come from the cameras, but must be such as these take.

        Whichever comes second is refused: raises PictureError for a goal of another aspect than the last pictures had;
        where none came yet, pictures of another aspect than the goal's are not encoded.
        """
        observation, size = self.encode(images), _size(images[0])
        if self._seen_size is not None:
            check_same_aspect(self._seen_size, size)
        self._goal_size = size
        return observation

    def _on_image(self, view: int, image: Image) -> None:
        stamp_s, arrived_s, watchdog = seconds(image.header.stamp), self.now_s(), self._watchdogs[view]
        if not self.active or not watchdog.feed(stamp_s, arrived_s) or not watchdog.clock_status().ok:
            return
        if (moment := self._pairing.add(view, stamp_s, (min(stamp_s, arrived_s), image))) is None:
            return
        taken_s, group = min(taken_s for taken_s, _ in moment), [image for _, image in moment]
        self._seen_s, self._seen_size, self._moment = time.monotonic(), _size(group[0]), group
        listeners = [listener for listener, wanted in self._listeners if wanted(taken_s)]
        if not listeners and not self._latents.get_subscription_count():
            return
        began_s = time.monotonic()
        try:
            if self._goal_size is not None:
                check_same_aspect(self._seen_size, self._goal_size)
            observation = replace(self.encode(group), stamp_s=taken_s)
        except (ConversionError, ContractError, PictureError) as error:
            self._status = Status(StatusCode.UNUSABLE, str(error))
            self.get_logger().error(f"image not encoded: {error}", throttle_duration_sec=5.0)
            return
        self._status = OK
        self._encoded += 1
        self._seconds = time.monotonic() - began_s
        for listener in listeners:
            listener(observation)
        if self._latents.get_subscription_count():
            self._latents.publish(latent_message(observation, self.model_id, frame_id=group[0].header.frame_id))

    def _on_encode(self, request: EncodeImages.Request, response: EncodeImages.Response) -> EncodeImages.Response:
        try:
            observation = self.encode_goal(request.views)
        except (ConversionError, ContractError, PictureError) as error:
            response.message = str(error)
            return response
        response.latent = latent_message(observation, self.model_id, request.views[0].header.stamp)
        response.success, response.message = True, f"encoded by {self.model_id}"
        return response


def _size(image: Image) -> tuple[int, int]:
    return image.width, image.height


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(EncoderNode)


if __name__ == "__main__":
    sys.exit(main())
