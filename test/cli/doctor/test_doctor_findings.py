from jepa_planner.cli.doctor.findings import Level, as_plain, green, in_words, red, summary, worst, yellow

FOUND = [green("a", "well"), yellow("b", "so so", "mend it"), red("c", "bad", "mend it now")]


def test_the_worst_is_that_of_all():
    assert [worst(FOUND[:count]) for count in range(4)] == [Level.GREEN, Level.GREEN, Level.YELLOW, Level.RED]
    assert summary(FOUND) == "red: 1 red, 1 yellow, 1 green"


def test_words_are_aligned_and_what_to_do_stands_below():
    lines = in_words(FOUND[1]).splitlines()
    assert [line.index(word) for line, word in zip(lines, ("so so", "-> mend"), strict=True)] == [33, 33]
    assert "\033" not in in_words(FOUND[2]) and in_words(FOUND[2], colour=True).startswith("  \033[31mred")


def test_long_words_are_broken_at_spaces_alone():
    command = "--remap joint_trajectory:=/a/very/long/name/that/is/not/broken/joint_trajectory"
    text = in_words(red("joint_trajectory", "nobody listens " * 20, command), columns=80)
    assert command.split()[1] in text and max(map(len, text.splitlines()[:-1])) <= 80


def test_scripts_get_words_for_levels():
    expected = {"group": "arm", "about": "b", "level": "yellow", "found": "so so", "do": "mend it"}
    assert as_plain("arm", FOUND[1]) == expected
