"""The parameters and buffers of a model: their digests, copies, and one flat vector."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn

Memory = tuple[int, tuple[int, ...], tuple[int, ...]]
"""The place, shape and strides of a tensor's numbers."""


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return all parameters and buffers by name, those of tied weights under each name."""
    named = [*model.named_parameters(remove_duplicate=False)]
    buffers = [*model.named_buffers(remove_duplicate=False)]
    return {name: each.detach() for name, each in (*named, *buffers)}


def digests(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Return the sha256 of each tensor's dtype, shape and bytes, by name."""
    return {name: tensor_digest(each) for name, each in tensors.items()}


def tensor_digest(tensor: torch.Tensor) -> str:
    """Return the sha256 of a tensor's dtype, shape and bytes."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    total = hashlib.sha256(f"{dtype} {list(tensor.shape)}\n".encode())
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if flat.numel():
        total.update(flat.view(torch.uint8).numpy().data)
    return total.hexdigest()


def memory_of(tensor: torch.Tensor) -> Memory:
    """Return what two tensors share that are the same numbers, as tied weights are."""
    place = tensor.data_ptr() if tensor.numel() else id(tensor)
    return place, tuple(tensor.shape), tuple(tensor.stride())


def copied(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return copies on the CPU; tensors that share memory share it in the copy too."""
    made: dict[Memory, torch.Tensor] = {}
    for each in tensors.values():
        if memory_of(each) not in made:
            made[memory_of(each)] = each.detach().to("cpu", copy=True)
    return {name: made[memory_of(each)] for name, each in tensors.items()}


def moved_into(
    tensors: Mapping[str, torch.Tensor], flat: torch.Tensor, parts: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return tensors whose trained parameters are parts of one flat vector, so they need no memory.

    Args:
        tensors: of a model, by name.
        flat: what `flat_vector` returned of it.
        parts: its trained parameters, in the order of the vector.
    """
    found: dict[Memory, torch.Tensor] = {}
    offset = 0
    for each in parts.values():
        if each.dtype == flat.dtype:
            piece = flat[offset : offset + each.numel()].view(each.shape)
            found[memory_of(each)] = piece
        offset += each.numel()
    return {name: found.get(memory_of(each), each) for name, each in tensors.items()}


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that require a gradient by name, tied ones once."""
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def flat_vector(model: nn.Module) -> torch.Tensor:
    """Return a copy of the trained parameters, one after the other, on the CPU."""
    parts = [each.detach().cpu().reshape(-1) for each in trained_parameters(model).values()]
    return torch.cat(parts)
