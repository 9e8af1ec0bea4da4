"""Values change, and what somebody wrote around them stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_planner.core.yaml_changes import changed_yaml, changes
from jepa_planner.core.yaml_text import read_yaml, write_yaml

TEXT = """\
# of the arm in the kitchen

rate: 0.5  # seconds
shape: {side: 1.0,  # of the box
  kind: square}   # not round

# what follows was tuned
search:
  samples: 32   # more is slower
  proposals: [noop, open]
  # the end

note: null
"""
PLAIN = read_yaml(TEXT)


def with_search(**changed) -> dict:
    return PLAIN | {"search": PLAIN["search"] | changed}


def test_what_does_not_change_stays_to_the_byte():
    assert changed_yaml(TEXT, PLAIN, PLAIN) == TEXT


@pytest.mark.parametrize(
    ("after", "old", "new"),
    [
        (PLAIN | {"rate": 0.25}, "rate: 0.5  #", "rate: 0.25  #"),
        (PLAIN | {"rate": None}, "rate: 0.5  #", "rate: null  #"),
        (PLAIN | {"shape": {"side": 2.0, "kind": "square"}}, "side: 1.0,  #", "side: 2.0,  #"),
        (with_search(samples=64), "samples: 32   #", "samples: 64   #"),
        (with_search(proposals=["axes"]), "[noop, open]\n  # the end", "[axes]\n  # the end"),
        (with_search(steps=2), "  samples: 32", "  steps: 2\n  samples: 32"),
        (PLAIN | {"shape": PLAIN["shape"] | {"round": False}}, "{side", "{round: false, side"),
        (PLAIN | {"note": {"a": 1, "b": {"c": [1, 2]}}}, "note: null", "note:\n  a: 1\n  b:\n    c: [1, 2]"),
        (PLAIN | {"more": {"a": 1}}, "rate: 0.5", "more: {a: 1}\nrate: 0.5"),
        (PLAIN | {"search": 0}, "samples: 32   # more is slower\n  proposals: [noop, open]", "0"),
    ],
)
def test_one_value_changes_and_its_line_alone(after, old, new):
    assert TEXT.count(old) == 1
    assert changed_yaml(TEXT, PLAIN, after) == TEXT.replace(old, new)
    assert read_yaml(TEXT.replace(old, new)) == after


def test_what_the_text_leaves_out_is_not_written_where_it_does_not_change():
    before = PLAIN | {"more": 1, "search": PLAIN["search"] | {"steps": 3}}
    assert changed_yaml(TEXT, before, before) == TEXT
    assert changed_yaml(TEXT, before, before | {"more": 2}) == TEXT.replace("rate:", "more: 2\nrate:")


def test_a_value_that_is_not_there_is_null():
    assert changed_yaml("a:\nb: 1\n", {"a": None, "b": 1}, {"a": 2, "b": 1}) == "a: 2\nb: 1\n"


def test_of_a_text_with_aliases_no_value_changes_with_another():
    after = {"a": {"x": 2}, "b": {"x": 1}}
    assert read_yaml(changed_yaml("a: &one {x: 1}\nb: *one\n", {"a": {"x": 1}, "b": {"x": 1}}, after)) == after


def test_lines_end_as_they_did():
    assert changed_yaml("a: 1\r\nb: 2  # two\r\n", {"a": 1, "b": 2}, {"a": 1, "b": 3}) == "a: 1\r\nb: 3  # two\r\n"


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["x", "two words", "#", "a: b", ""])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
MAPPINGS = st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1)


@settings(deadline=None)
@given(MAPPINGS, MAPPINGS)
def test_what_is_read_is_what_was_meant(before, after):
    after = before | after
    assert read_yaml(changed_yaml(write_yaml(before), before, after)) == merged(before, after)


def merged(before, after):
    """Nothing is taken out: sections of settings have all their values."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    return before | {key: merged(before.get(key), value) for key, value in after.items()}


def test_changes_are_told_by_dotted_names():
    assert list(changes(PLAIN, with_search(samples=64) | {"note": {"a": 1}})) == [
        "search.samples: 32, now 64", "note: null, now a section",
    ]  # fmt: skip
    assert list(changes(PLAIN, PLAIN)) == []
