import pytest
import torch
from safetensors.torch import load_file, save_file

from jepa_planner.model.weights_file import map_weights, read_weights, release_pages, weight_shapes, write_weights

TENSORS = {
    "matrix": torch.arange(6.0).reshape(2, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "vector": torch.linspace(-1.0, 1.0, 7),
    "counter": torch.tensor(3),
    "nothing": torch.zeros(0, 4),
}


def as_parts(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, ...]]:
    return {name: (tensor,) for name, tensor in tensors.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_safetensors_library_reads_what_is_written(tmp_path, dtype):
    write_weights(tmp_path / "w.safetensors", as_parts(TENSORS), dtype)
    read = load_file(tmp_path / "w.safetensors")
    assert read.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        expected = tensor.to(dtype) if tensor.is_floating_point() else tensor
        assert read[name].dtype == expected.dtype and torch.equal(read[name], expected), name


def test_parts_are_stacked_along_the_first_dimension(tmp_path):
    parts = tuple(torch.randn(rows, 3) for rows in (2, 1, 4))
    write_weights(tmp_path / "w.safetensors", {"stack": parts}, torch.float32)
    assert weight_shapes(tmp_path / "w.safetensors") == {"stack": (7, 3)}
    assert torch.equal(load_file(tmp_path / "w.safetensors")["stack"], torch.cat(parts))


def test_whoever_may_read_other_new_files_may_read_weights(tmp_path):
    (tmp_path / "other").touch()
    write_weights(tmp_path / "w.safetensors", as_parts(TENSORS), torch.float32)
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(("value", "dtype"), [(1e5, torch.float16), (float("nan"), torch.float32)])
def test_what_is_not_finite_in_that_type_is_refused_by_name(tmp_path, value, dtype):
    with pytest.raises(ValueError, match=r"vector: holds numbers that are not finite as torch\.float"):
        write_weights(tmp_path / "w.safetensors", {"vector": (torch.tensor([0.0, value]),)}, dtype)


def test_matrices_are_read_in_the_type_asked_for_and_all_else_in_full(tmp_path):
    write_weights(tmp_path / "w.safetensors", as_parts(TENSORS), torch.float32)
    read = read_weights(tmp_path / "w.safetensors", torch.bfloat16)
    assert {name: tensor.dtype for name, tensor in read.items()} == {
        "matrix": torch.bfloat16, "transposed": torch.bfloat16, "vector": torch.float32, "counter": torch.int64,
        "nothing": torch.bfloat16,
    }  # fmt: skip


def test_what_was_read_does_not_change_with_the_file(tmp_path):
    write_weights(tmp_path / "w.safetensors", as_parts(TENSORS), torch.float32)
    read = read_weights(tmp_path / "w.safetensors", torch.float32)
    with (tmp_path / "w.safetensors").open("r+b") as file:
        file.write(b"\xff" * (tmp_path / "w.safetensors").stat().st_size)
    assert torch.equal(read["vector"], TENSORS["vector"])


def test_released_pages_are_there_when_they_are_looked_at_again(tmp_path):
    weights = torch.randn(300_000)
    save_file({"w": weights}, tmp_path / "w.safetensors")
    mapped = map_weights(tmp_path / "w.safetensors")["w"]
    assert torch.equal(mapped, weights)
    release_pages(mapped)
    assert torch.equal(mapped, weights)
    release_pages(weights)  # memory that is no view of a file comes to no harm
    assert torch.equal(mapped, weights)
