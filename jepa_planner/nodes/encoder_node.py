"""Camera images to latents."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from jepa_planner.control.watchdog import Watchdog
from jepa_planner.core.aspect import Size, check_same_cameras
from jepa_planner.core.observation import Observation
from jepa_planner.core.picture_file import PictureError
from jepa_planner.core.status import OK, Status, StatusCode
from jepa_planner.model.bundle import load_latent_statistics, model_folder
from jepa_planner.model.contract import ContractError
from jepa_planner.model.view_mixups import MixupCheck
from jepa_planner.msg import ArmState, Latent
from jepa_planner.nodes import qos
from jepa_planner.nodes.camera_stream import CameraStream
from jepa_planner.nodes.conversions import ConversionError, numbers, seconds
from jepa_planner.nodes.image_input import (
    IMAGE_PARAMETERS,
    TRANSPORTS,
    Picture,
    check_frames,
    image_inputs,
    info_topic,
)
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
Rest = tuple[float, np.ndarray]
"""Since when the arm rests (s), and where its tcp is in the base frame [3] (m)."""
BETWEEN_S = 0.4
"""A latent that no planner waits for is published so long after the one before it: less than makes an image stale."""
SLOW_S = 0.2
"""A model that takes longer for one moment is not asked what it would see if views were mixed up."""


class EncoderNode(PlannerNode):
    """Encodes images of one moment, one of every view; publishes `latent`, serves `~/encode` and `~/look`.

    Where a planner says on `picture_wanted` from when on it wants one, the first since then is published, and few
    others; else all are. Nodes in the same process listen instead of subscribing, so that latents never leave it.
    """

    PARAMETERS = (
        *MODEL_PARAMETERS,
        *IMAGE_PARAMETERS,
        Parameter("sync_tolerance_s", 0.03, "Images of one moment may differ by this much.", 0.0, 1.0),
        Parameter(
            "check_views",
            True,
            "Refuse views that look swapped, turned or mirrored by where they show the arm, where the bundle tells.",
        ),
    )

    def __init__(self, **options) -> None:
        super().__init__("encoder_node", **options)
        self._listeners: list[tuple[Listener, Callable[[float], bool]]] = []
        self._encoded = 0
        self._seconds = 0.0
        self._status = OK
        self._seen_s: float | None = None
        self._at_rest: Callable[[], Rest | None] | None = None
        self._rest: Rest | None = None
        self._wanted_from_s, self._published_s = math.inf, -math.inf

    def listen(
        self, listener: Listener, wanted: Callable[[float], bool], at_rest: Callable[[], Rest | None] | None = None
    ) -> None:
        """Passes observations to a function, in this node's thread, if those of their time (s) are wanted.

        at_rest: how the arm rests, None while it does not; without it, `arm_state` tells.
        """
        self._listeners.append((listener, wanted))
        self._at_rest = at_rest or self._at_rest

    def configure(self) -> None:
        parameters = self.parameters
        self._model = world_model(parameters)
        self.model_id = model_id(self._model.contract)
        self.get_logger().info(f"{self.model_id} runs on {self._model.backend}")
        image = self._model.contract.image
        self._model.observe(np.zeros((1, len(image.views), image.height, image.width, 3), np.uint8))  # warms it up
        self._views = views = image.views
        names = [topic for topic in parameters["image_topics"] if topic] or [f"{view}/image_raw" for view in views]
        if len(names) != len(views):
            raise ValueError(
                f"image_topics names {len(names)} topics; this model needs {len(views)}: {', '.join(views)}"
            )
        topics = [self.resolve_topic_name(name) for name in names]  # image_transport, too, adds to what was remapped
        self._inputs = image_inputs(views, parameters, topics)
        self._pairing: ViewPairing[tuple[float, Picture]] = ViewPairing(len(views), parameters["sync_tolerance_s"])
        self._seen_sizes: list[Size] | None = None
        self._goal_sizes: list[Size] | None = None
        self._goal_frames: list[str] = []
        self._latents = self.create_lifecycle_publisher(Latent, "latent", qos.STREAM)
        self._wanted = self.create_subscription(Time, "picture_wanted", self._on_picture_wanted, qos.COMMAND)
        kind, ending = TRANSPORTS[parameters["image_transport"]]
        self._images = [
            CameraStream(self, kind, topic + ending, partial(self._on_image, view)) for view, topic in enumerate(topics)
        ]
        self._infos = [
            CameraStream(self, CameraInfo, info_topic(topic), image_input.take_camera_info)
            for topic, image_input in zip(topics, self._inputs, strict=True)
            if parameters["rectify"]
        ]
        self._mixups = self._mixup_check()
        self._judged_s, self._mixed_up = -1.0, ""  # an arm that never moved rests since 0
        self._arm_states: list[Subscription] = []
        if self._mixups is not None and self._at_rest is None:
            self._arm_states = [self.create_subscription(ArmState, "arm_state", self._on_arm_state, qos.STATE)]
        self._watchdogs = [
            Watchdog(f"image on {images.subscription.topic_name}", SILENCE_S, self.lead_tolerance_s(), "encoder_node")
            for images in self._images
        ]
        self._moment: Sequence[Picture] = ()
        self._taken_s = -math.inf
        library = goal_library(self._model.contract)
        self._services_ = (
            self.create_service(EncodeImages, "~/encode", self._on_encode),
            self.create_service(Look, "~/look", partial(look, views, library, self._seen_now)),
        )

    def cleanup(self) -> None:
        for stream in (*self._images, *self._infos):
            stream.close()
        for subscription in (*self._arm_states, self._wanted):
            self.destroy_subscription(subscription)
        for service in self._services_:
            self.destroy_service(service)
        self.destroy_lifecycle_publisher(self._latents)

    def health(self) -> tuple[Status, dict[str, object]]:
        details: dict[str, object] = {
            "model": self.model_id,
            "backend": self._model.backend,
            "encoded": self._encoded,
            "seconds_per_image": round(self._seconds, 4),
            "image_delay_s": [round(watchdog.delay_s, 3) for watchdog in self._watchdogs],
        }
        if self._is_silent:
            return self._why_nothing_is_seen(), details
        lacking = next(filter(None, (each.lacking for each in self._inputs)), None)
        return self._status if lacking is None else Status(StatusCode.NOTHING_CAME, lacking), details

    @property
    def _is_silent(self) -> bool:
        return self._seen_s is None or time.monotonic() - self._seen_s > SILENCE_S

    def _seen_now(self) -> Sequence[Picture]:
        """The newest picture of each view as it came; raises ValueError saying why there is none."""
        if not self.active:
            raise ValueError("encoder_node is not active")
        if self._is_silent:
            raise ValueError(self._why_nothing_is_seen().text)
        return self._moment

    def _pictures(self, images: Sequence[Picture]) -> tuple[np.ndarray, list[Size]]:
        """One image per view as the model is to see them, uint8 RGB [V, H, W, 3], and their sizes as they came.

        Raises ConversionError saying what is wrong.
        """
        if len(images) != len(self._views):
            raise ConversionError(
                f"{len(images)} images came; expected one for each of the model's views: {', '.join(self._views)}"
            )
        pictures = [image_input.pixels(image) for image_input, image in zip(self._inputs, images, strict=True)]
        views, sizes = [pixels for pixels, _ in pictures], [size for _, size in pictures]
        if any(view.shape != views[0].shape for view in views):
            shapes = [list(view.shape) for view in views]
            raise ConversionError(
                f"views are {shapes}; expected one image of the same size per view of the model: set their cameras or "
                "encoder_node's crop so"
            )
        return np.stack(views), sizes

    def _mixup_check(self) -> MixupCheck | None:
        """None where the bundle cannot tell, for want of statistics or because some of its views are missing."""
        contract, folder = self._model.contract, model_folder(self.parameters["model"])
        statistics, spec = load_latent_statistics(folder), contract.out_of_distribution
        if not self.parameters["check_views"] or statistics is None or spec is None:
            return None
        return MixupCheck(self._views, self._model.encode, statistics, spec.arm_error_m)

    def _on_arm_state(self, message: ArmState) -> None:
        rests = message.mode == ArmState.MODE_HOLDING and not message.moving
        self._rest = (seconds(message.rest_since), numbers(message.pose.position)) if rests else None

    def _check_views(self, views: np.ndarray, observation: Observation) -> None:
        """Raises PictureError where views are mixed up; looks once each time that the arm has come to rest, and then
        again until they are not: cameras may be put right while it rests.
        """
        rest = self._rest if self._at_rest is None else self._at_rest()
        if (
            self._mixups is not None
            and rest is not None
            and observation.stamp_s > rest[0]
            and (rest[0] != self._judged_s or self._mixed_up)
        ):
            if self._seconds > SLOW_S:
                return
            self._judged_s, self._mixed_up = rest[0], self._mixups.judge(views, observation.latent, rest[1])
        if self._mixed_up:
            raise PictureError(self._mixed_up)

    def _why_nothing_is_seen(self) -> Status:
        now_s = self.now_s()
        silent = [
            images.subscription
            for images, dog in zip(self._images, self._watchdogs, strict=True)
            if dog.stamp_s is None
        ]
        if silent and now_s > 0:
            return self.nothing_came_on(silent)
        for watchdog in self._watchdogs:
            if not (status := watchdog.status(now_s)).ok:
                return status
        if (spread_s := self._pairing.spread_s()) is None:
            return Status(StatusCode.NOTHING_CAME, f"no complete set of images within the last {SILENCE_S} s")
        topics, tolerance_s = (
            " and ".join(images.subscription.topic_name for images in self._images),
            self._pairing.tolerance_s,
        )
        text = f"the newest stamps differ by {spread_s:.3f} s, sync_tolerance_s is {tolerance_s:g}: {topics}"
        return Status(StatusCode.UNUSABLE, text)

    def encode_goal(self, images: Sequence[Picture]) -> Observation:
        """What `WorldModel.observe` gives of pictures that did not come from the cameras just now, but must be such as
        these publish: they are rectified, turned and cropped as live ones are.

        Whichever comes second is refused: raises PictureError for a goal of another aspect than the last pictures had;
        where none came yet, pictures of another aspect than the goal's are not encoded. Raises ConversionError and
        ContractError, too, saying what is wrong.
        """
        views, sizes = self._pictures(images)
        if self._seen_sizes is not None:
            self._check_same_cameras(self._seen_sizes, sizes)
        observation = self._model.observe(views[None])[0]
        self._goal_sizes, self._goal_frames = sizes, _frames(images)
        return observation

    def _check_same_cameras(self, image_sizes: Sequence[Size], goal_sizes: Sequence[Size]) -> None:
        check_same_cameras(image_sizes, goal_sizes, [each.needs_whole_size for each in self._inputs])

    def _on_image(self, view: int, image: Picture) -> None:
        stamp_s, arrived_s, watchdog = seconds(image.header.stamp), self.now_s(), self._watchdogs[view]
        if not self.active or not watchdog.feed(stamp_s, arrived_s) or not watchdog.clock_status().ok:
            return
        if (moment := self._pairing.add(view, stamp_s, (min(stamp_s, arrived_s), image))) is None:
            return
        taken_s, group = min(taken_s for taken_s, _ in moment), [image for _, image in moment]
        self._seen_s, self._taken_s, self._moment = time.monotonic(), taken_s, group
        if all(isinstance(image, Image) for image in group):
            self._seen_sizes = [(image.width, image.height) for image in group]
        listeners = [listener for listener, wanted in self._listeners if wanted(taken_s)]
        self._encode(taken_s, group, listeners, self._is_to_be_published(taken_s))

    def _on_picture_wanted(self, message: Time) -> None:
        """What was taken since then may have come before this did, from another computer."""
        self._wanted_from_s = seconds(message)
        if self.active and self._moment and self._taken_s >= self._wanted_from_s and not self._is_silent:
            self._encode(self._taken_s, self._moment, [], self._latents.get_subscription_count() > 0)

    def _is_to_be_published(self, taken_s: float) -> bool:
        if not self._latents.get_subscription_count():
            return False
        is_wanted = taken_s >= self._wanted_from_s or not self.count_publishers(self._wanted.topic_name)
        return is_wanted or time.monotonic() - self._published_s >= BETWEEN_S

    def _encode(
        self, taken_s: float, group: Sequence[Picture], listeners: Sequence[Listener], is_to_be_published: bool
    ) -> None:
        """Passes on what was seen at a moment, if anybody wants it."""
        if not listeners and not is_to_be_published:
            return
        began_s = time.monotonic()
        try:
            check_frames(self._views, _frames(group), self._goal_frames)
            views, self._seen_sizes = self._pictures(group)
            if self._goal_sizes is not None:
                self._check_same_cameras(self._seen_sizes, self._goal_sizes)
            observation = replace(self._model.observe(views[None])[0], stamp_s=taken_s)
            self._seconds = time.monotonic() - began_s
            self._check_views(views, observation)
        except (ConversionError, ContractError, PictureError) as error:
            self._status = Status(StatusCode.UNUSABLE, str(error))
            self.get_logger().error(f"image not encoded: {error}", throttle_duration_sec=5.0)
            return
        self._status = OK
        self._encoded += 1
        for listener in listeners:
            listener(observation)
        if is_to_be_published:
            self._published_s = time.monotonic()
            if taken_s >= self._wanted_from_s:
                self._wanted_from_s = math.inf
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


def _frames(images: Sequence[Picture]) -> list[str]:
    return [image.header.frame_id for image in images]


def main() -> int:
    """Runs the node until SIGINT or SIGTERM."""
    from jepa_planner.nodes.running import run_node

    return run_node(EncoderNode)


if __name__ == "__main__":
    sys.exit(main())
