"""Parameter files: what they say for each node, and what is refused because nothing would come of it."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jepa_planner.nodes.parameter_files import ParameterFileError, known, read, resolve, spread, write
from jepa_planner.nodes.start import PLANNER_NODES


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "user.yaml"

    def written(text: str):
        path.write_text(text)
        return path

    return written


def of(node: str, **values: object) -> str:
    return yaml.safe_dump({node: {"ros__parameters": values}})


@pytest.mark.parametrize("section", ["arm_node", "/arm_node", "/**/arm_node", "/*", "/**", "**"])
def test_a_section_is_for_the_node_that_its_name_fits(file, section):
    assert read(file(of(section, speed_scale=0.2)))["arm_node"] == {"speed_scale": 0.2}


@pytest.mark.parametrize(
    "section", ["/left/arm_node", "left/arm_node", "/*/arm_node", "/**/arm_node", "/left/*", "/**"]
)
def test_a_section_is_for_a_node_in_a_namespace(file, section):
    assert read(file(of(section, speed_scale=0.2)), "left")["arm_node"] == {"speed_scale": 0.2}


def test_namespaces_may_be_nested(file):
    text = "left: {arm_node: {ros__parameters: {speed_scale: 0.2}}, mpc_node: {ros__parameters: {samples: 16}}}"
    settings = read(file(text), "left")
    assert settings["arm_node"] == {"speed_scale": 0.2} and settings["mpc_node"] == {"samples": 16}


@pytest.mark.parametrize("section", ["arm_node", "/right/arm_node", "/*/*/arm_node"])
def test_a_section_for_another_namespace_is_refused_with_what_to_write(file, section):
    with pytest.raises(ParameterFileError, match=r"is for no node here: write /left/arm_node, or /\*\*/arm_node"):
        read(file(of(section, speed_scale=0.2)), "left")


def test_a_node_that_does_not_exist_is_refused_with_the_nearest_that_does(file):
    with pytest.raises(ParameterFileError, match=r"amr_node: no node is called amr_node; did you mean arm_node\?"):
        read(file(of("amr_node", speed_scale=0.2)))


def test_a_node_of_another_name_that_has_our_parameters_alone_is_refused(file):
    with pytest.raises(ParameterFileError, match="slow_arm: no node is called slow_arm; known are"):
        read(file(of("arm_node", rate_hz=50.0) + of("slow_arm", speed_scale=0.2)))


def test_sections_of_other_packages_may_stand_beside(file):
    other = of("controller_manager", update_rate=500, use_sim_time=True)
    assert read(file(other + of("/**/arm_node", speed_scale=0.2)))["arm_node"] == {"speed_scale": 0.2}


def test_a_file_for_other_packages_alone_is_refused(file):
    with pytest.raises(ParameterFileError, match="it is for controller_manager; expected something for encoder_node"):
        read(file(of("controller_manager", update_rate=500)))


def test_one_file_may_hold_the_planners_of_two_arms(file):
    two = file(of("/left/arm_node", speed_scale=0.2) + of("/right/arm_node", speed_scale=0.3))
    assert read(two, "left")["arm_node"] == {"speed_scale": 0.2}
    assert read(two, "right")["arm_node"] == {"speed_scale": 0.3}
    with pytest.raises(ParameterFileError, match="is for no node here: write /middle/arm_node"):
        read(two, "middle")


@pytest.mark.parametrize("section", ["arm_node", "/**", "/**/arm_node"])
def test_a_misspelt_parameter_is_refused_with_the_nearest_that_exists(file, section):
    with pytest.raises(ParameterFileError, match=r"has no parameter speed_scael; did you mean speed_scale\?"):
        read(file(of(section, speed_scael=0.2)))


def test_a_parameter_of_another_node_is_refused(file):
    with pytest.raises(ParameterFileError, match="mpc_node has no parameter speed_scale"):
        read(file(of("mpc_node", speed_scale=0.2)))


@pytest.mark.parametrize(
    ("node", "name", "value", "expected"),
    [
        ("arm_node", "speed_scale", 5.0, "a number from 0.05 to 1.0"),
        ("arm_node", "speed_scale", float("nan"), "a number from 0.05 to 1.0"),
        ("arm_node", "speed_scale", True, "a number from 0.05 to 1.0"),
        ("arm_node", "speed_scale", 10**400, "a number from 0.05 to 1.0"),
        ("arm_node", "speed_scale", "slow", "a number from 0.05 to 1.0"),
        ("arm_node", "output", "twists", "one of joint_trajectory, follow_joint_trajectory, twist, pose"),
        ("arm_node", "gripper_joints", [], "a list of names, one at least"),
        ("arm_node", "gripper_joints", "finger", "a list of names, one at least"),
        ("arm_node", "autostart", "yes please", "true or false"),
        ("mpc_node", "samples", 3.5, "a whole number from 0 to 100000"),
        ("mpc_node", "seed", -1, "a whole number from 0 to 2147483647"),
        ("mpc_node", "model", 3, "a text"),
        ("sim_node", "task", "juggle", "one of reach, grasp, push, pick_place, stack, rearrange"),
    ],
)
def test_a_value_out_of_bounds_or_of_another_type_is_refused_with_what_is_expected(file, node, name, value, expected):
    with pytest.raises(ParameterFileError) as refused:
        read(file(of(node, **{name: value})))
    assert f"{node}: {name} is {value!r}; expected {expected}" in str(refused.value)


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("1e-1", 0.1), ("0.5", 0.5)])
def test_a_number_is_taken_as_it_was_meant(file, text, value):
    settings = read(file(f"arm_node: {{ros__parameters: {{speed_scale: {text}}}}}"))["arm_node"]
    assert settings == {"speed_scale": value} and type(settings["speed_scale"]) is float


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds None"),
        ("- arm_node", "expected NODE:"),
        ("arm_node: {speed_scale: 0.2}", "arm_node/speed_scale holds 0.2; expected NODE:, ros__parameters:"),
        ("arm_node: 3", "arm_node holds 3"),
        ("ros__parameters: {speed_scale: 0.2}", "below a node"),
        ("arm_node: {ros__parameters: [1]}", "ros__parameters holds [1]"),
        ("arm_node: {ros__parameters: {speed_scale: 0.2", "expected ',' or '}'"),
        ("arm_node: {ros__parameters: {rate_hz: 50}}\narm_node: {ros__parameters: {}}", "arm_node stands twice"),
    ],
)
def test_a_file_that_is_no_parameter_file_is_refused(file, text, words):
    path = file(text)
    with pytest.raises(ParameterFileError) as refused:
        read(path)
    assert str(refused.value).startswith(f"parameter file {path}: ") and words in str(refused.value)


WORDS = st.sampled_from(["arm_node", "/**", "ros__parameters", "speed_scale", "left", 3, None, True])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(content=PLAIN.map(yaml.safe_dump) | st.text(max_size=60))
def test_a_file_of_anything_is_read_or_refused_by_name(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "anything.yaml"
    path.write_text(content, errors="replace")
    try:
        assert read(path).keys() == known().keys()
    except ParameterFileError as error:
        assert str(path) in str(error)


def test_a_file_that_is_nested_too_deeply_is_refused(file):
    with pytest.raises(ParameterFileError, match="nested too deeply"):
        read(file("[" * 5000))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ParameterFileError, match=r"nope\.yaml: No such file"):
        read(tmp_path / "nope.yaml")
    with pytest.raises(ParameterFileError, match="directory"):
        read(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParameterFileError, match="bytes"):
        read(tmp_path / "bytes")


def test_the_later_section_of_a_file_wins(file):
    general, own = of("/**", speed_scale=0.5), of("arm_node", speed_scale=0.2)
    assert read(file(general + own))["arm_node"] == {"speed_scale": 0.2}
    assert read(file(own + general))["arm_node"] == {"speed_scale": 0.5}


def test_values_go_to_the_nodes_that_have_such_a_parameter():
    settings = spread({"model": "m", "use_sim_time": True}, PLANNER_NODES)
    assert settings["mpc_node"] == {"model": "m", "use_sim_time": True}
    assert settings["arm_node"] == {"use_sim_time": True}
    with pytest.raises(ValueError, match=r"no parameter is called modle; did you mean model\?"):
        spread({"modle": "m"}, PLANNER_NODES)


def test_layers_lie_over_what_ships():
    shipped = resolve(["arm_node"], [])["arm_node"]
    assert shipped["speed_scale"] == 1.0 and set(shipped) | {"use_sim_time"} <= set(known()["arm_node"])
    layers = [
        {"arm_node": {"speed_scale": 0.5, "rate_hz": 50.0}},
        {"mpc_node": {"seed": 1}},
        {"arm_node": {"rate_hz": 20.0}},
    ]
    assert resolve(["arm_node"], layers)["arm_node"] == {**shipped, "speed_scale": 0.5, "rate_hz": 20.0}


def test_what_is_written_is_what_was_resolved(tmp_path):
    settings = resolve(PLANNER_NODES, [{"mpc_node": {"model": "1e3", "deadline_s": 1e-5, "base_frame": "true"}}])
    write(settings, tmp_path / "all.yaml")
    found = read(tmp_path / "all.yaml", "left/arm")
    assert {node: found[node] for node in PLANNER_NODES} == settings
