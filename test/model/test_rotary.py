import pytest
import torch

from jepa_planner.model.rotary import grid_positions, rotary_tables, rotate


def test_a_token_at_the_origin_is_not_rotated():
    x = torch.randn(2, 1, 16)
    assert torch.equal(rotate(x, *rotary_tables(torch.zeros(1, 3), 16)), x)


def test_angles_are_tiled_while_adjacent_channels_turn():
    # head 12: parts of 4 channels, two angles per part, here time = 2: 2*1 and 2*10000^-0.5
    a, b = torch.tensor(2.0), torch.tensor(0.02)
    x = torch.randn(1, 12)
    turned = rotate(x, *rotary_tables(torch.tensor([[2, 0, 0]]), 12))
    expected = torch.stack(
        [
            x[0, 0] * a.cos() - x[0, 1] * a.sin(),
            x[0, 1] * b.cos() + x[0, 0] * b.sin(),
            x[0, 2] * a.cos() - x[0, 3] * a.sin(),
            x[0, 3] * b.cos() + x[0, 2] * b.sin(),
        ]
    )
    assert torch.allclose(turned[0, :4], expected, atol=1e-6)
    assert torch.equal(turned[0, 4:], x[0, 4:])


def test_channels_beyond_three_equal_parts_are_not_rotated():
    cosine, sine = rotary_tables(torch.tensor([[5, 6, 7]]), 64)
    assert (cosine[:, 60:] == 1).all() and (sine[:, 60:] == 0).all()
    assert (sine[:, :60] != 0).all()


def test_grid_positions_run_row_by_row():
    assert grid_positions(3, 2, 2).tolist() == [[3, 0, 0], [3, 0, 1], [3, 1, 0], [3, 1, 1]]


def test_a_head_too_small_to_rotate_is_refused():
    with pytest.raises(ValueError, match="at least 6 channels"):
        rotary_tables(torch.zeros(1, 3), 4)
