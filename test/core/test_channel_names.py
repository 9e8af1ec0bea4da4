from jepa_planner.core.channel_names import present_names


def test_channels_of_older_files_are_read_by_their_present_names():
    assert present_names(["x_m", "closedness_measured", "dclosedness"]) == ("x_m", "closure_measured", "dclosure")


def test_what_is_no_name_is_left_for_others_to_refuse():
    assert present_names([7, "closure_commanded"]) == (7, "closure_commanded")
