import pytest
import torch

from jepa_planner.learning.training import mixed_precision as module
from jepa_planner.learning.training.mixed_precision import mixed_precision


@pytest.mark.parametrize(("pays", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_products_are_bfloat16_where_that_pays_and_weights_stay_float32(monkeypatch, pays, expected):
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda device: pays)
    layer, rows = torch.nn.Linear(4, 3), torch.randn(2, 4)
    with mixed_precision(rows.device):
        product = layer(rows)
    product.float().sum().backward()
    assert product.dtype == expected
    assert layer.weight.dtype == layer.weight.grad.dtype == torch.float32
    assert layer(rows).dtype == torch.float32
