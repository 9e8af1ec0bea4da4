"""Messages in CDR to objects, by the definitions that their bag holds, or else those of ROS 2 and of this package."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jepa_planner.core.message_types import OWN
from jepa_planner.core.shipped import shipped
from jepa_planner.learning.data.bags.message import BagError, Definition

HEADER = "std_msgs/msg/Header"
IDL_RULER = "=" * 80 + "\n"


def reader_of(msgtype: str, definitions: Mapping[str, Definition]) -> Callable[[bytes], Any]:
    """What makes objects of a type's messages, with fields named as in ROS.

    Raises BagError where nobody says how the type is laid out; the function does for a message that is cut short.
    """
    try:
        from rosbags.serde import SerdeError
    except ModuleNotFoundError as error:
        raise BagError("reading bags needs the package rosbags: pip install 'jepa_planner[bag]'") from error
    store = _store(msgtype, definitions.get(msgtype))

    def read(data: bytes) -> Any:
        try:
            return store.deserialize_cdr(data, msgtype)
        except (SerdeError, ValueError, LookupError, TypeError, OverflowError, struct.error) as error:
            raise BagError(f"a message of {msgtype} does not hold what its type promises: {error}") from error

    return read


def begins_with_header(msgtype: str, definitions: Mapping[str, Definition]) -> bool:
    """Whether messages of a type begin with a std_msgs/Header, and so with a stamp; False where nobody knows it."""
    try:
        _, members = _store(msgtype, definitions.get(msgtype)).fielddefs[msgtype]
    except BagError:
        return False
    return bool(members) and members[0][1][1] == HEADER


@lru_cache(maxsize=256)
def _store(msgtype: str, definition: Definition | None) -> Any:
    """A store of types that knows this one, as a bag defines it or, where it does not, as ROS 2 does."""
    from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore

    common = get_typestore(Stores.ROS2_JAZZY)
    if definition is None and msgtype in common.fielddefs:
        return common
    whole = definition is not None  # with the definitions of all that it is made of
    definition = definition or _own(msgtype)
    store = get_typestore(Stores.EMPTY)
    try:
        if definition.encoding in ("ros2msg", ""):
            types = get_types_from_msg(definition.text, msgtype)
        else:
            parts = [part.split("\n", 1)[1] for part in definition.text.split(IDL_RULER)[1:]] or [definition.text]
            types = {name: fields for part in parts for name, fields in get_types_from_idl(part).items()}
        store.register(types if whole else {**common.fielddefs, **types})
    except (TypesysError, ValueError, LookupError) as error:
        raise BagError(f"the bag's definition of {msgtype} cannot be read: {error}") from error
    return store


def _own(msgtype: str) -> Definition:
    if msgtype.startswith(OWN):
        try:
            text = shipped(f"msg/{msgtype.removeprefix(OWN)}.msg").read_text(encoding="utf-8")
            return Definition("ros2msg", text)
        except FileNotFoundError:
            pass
    raise BagError(
        f"the bag does not define {msgtype}, and it is none of ROS 2's common types: record with MCAP, which keeps "
        "definitions"
    )
