import pytest

from jepa_planner.learning.evaluation.benchmark.tables import Table, milliseconds

TABLE = Table("Speed", ("", "ms", "Hz"), (("plain", "1234", "0.8"), ("fast one", "5", "200")), ("On a train.",))


def test_text_is_aligned_numbers_to_the_right():
    assert TABLE.text().splitlines() == [
        "Speed",
        "              ms   Hz",
        "  plain     1234  0.8",
        "  fast one     5  200",
        "  On a train.",
    ]


def test_markdown_has_the_same_cells():
    assert TABLE.markdown().splitlines() == [
        "**Speed**",
        "",
        "|  | ms | Hz |",
        "|---|---|---|",
        "| plain | 1234 | 0.8 |",
        "| fast one | 5 | 200 |",
        "",
        "- On a train.",
    ]


def test_notes_alone_make_no_empty_table():
    table = Table("Memory", notes=("2 GB.",))
    assert table.text() == "Memory\n  2 GB."
    assert "|" not in table.markdown()


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="a row has 1 cells under 2 columns"):
        Table("Speed", ("a", "b"), (("1",),))


@pytest.mark.parametrize(("seconds", "text"), [(0.0012345, "1.23"), (0.12345, "123"), (12.345, "12345")])
def test_milliseconds_have_the_digits_that_mean_something(seconds, text):
    assert milliseconds(seconds) == text
