"""Which recorded tensors share memory, so that a change in place reaches all of them.

A tensor is a view of its storage. Each storage that depends on the inputs has an epoch, which a
change in place raises. A tensor that was recorded in an earlier epoch is read again from the
storage. So is a tensor that came to be behind the recorder's back, such as a `Parameter` made of
a recorded tensor. The calls that are added for it:

- `gdexp::flatten(tensor, strides)`: the numbers in the order of memory, for dense strides;
- `gdexp::read(flat, shape, strides, offset)`: a view of the memory;
- `gdexp::write(flat, tensor, strides, offset)`: the memory with a tensor's numbers put into it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gdexp.engine.not_portable import NotPortable
from gdexp.engine.recording import Call, Recording, Ref, array_of


@dataclass
class Storage:
    """The memory behind some tensors.

    Attributes:
        slot: of a tensor that covers it, or of the memory itself.
        strides: of that tensor; None for the memory itself.
        epoch: how often it was changed.
        is_input: whether it is an argument of the recorded function.
    """

    slot: int
    strides: tuple[int, ...] | None
    covers: bool
    epoch: int = 0
    is_input: bool = False


class Memory:
    """Finds the slots of tensors.

    Args:
        recording: that slots and calls are added to.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._slots: dict[int, tuple[int, int]] = {}
        self._storages: dict[int, Storage] = {}
        self._constants: dict[int, tuple[torch.Tensor, int, int]] = {}
        self._kept: list[torch.Tensor] = []  # so that no id and no address is used again

    def depends(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor depends on the inputs."""
        return id(tensor) in self._slots or _address(tensor) in self._storages

    def slot(self, tensor: torch.Tensor) -> int:
        """Return the slot of a tensor as it is now."""
        storage = self._storages.get(_address(tensor))
        known = self._slots.get(id(tensor))
        if storage is None:
            return self._constant(tensor) if known is None else known[0]
        if known is not None and known[1] == storage.epoch:
            return known[0]
        slot = self._add_call(
            "gdexp::read",
            (
                Ref(self._flat(storage)),
                tuple(tensor.shape),
                tensor.stride(),
                tensor.storage_offset(),
            ),
            tuple(tensor.shape),
            tensor.dtype,
        )
        self._note(tensor, slot, storage.epoch)
        return slot

    def add(self, tensor: torch.Tensor, is_input: bool = False) -> int:
        """Return a new slot for a tensor that the recorded function takes or computes."""
        slot = self.recording.add_slot(tuple(tensor.shape), tensor.dtype)
        address = _address(tensor)
        storage = self._storages.get(address)
        if storage is None and address:
            storage = Storage(slot, tensor.stride(), _covers(tensor), is_input=is_input)
            self._storages[address] = storage
        self._note(tensor, slot, storage.epoch if storage else 0)
        return slot

    def prepare_change(self, tensor: torch.Tensor) -> None:
        """Note what the memory of a tensor holds before the tensor is changed in place.

        Raises:
            NotPortable: it is an argument, or its memory has an unusual order.
        """
        address = _address(tensor)
        storage = self._storages.get(address)
        if storage is not None and storage.is_input:
            raise NotPortable("an argument is changed in place")
        if not address or _covers(tensor):
            return
        if storage is None:
            storage = Storage(self._constant(_whole(tensor)), None, True)
            self._storages[address] = storage
            self._kept.append(tensor)
        self._flat(storage)

    def change(self, tensor: torch.Tensor, slot: int) -> None:
        """Note that a tensor was changed in place and is now what the slot holds."""
        address = _address(tensor)
        storage = self._storages.get(address)
        epoch = 0 if storage is None else storage.epoch + 1
        if storage is None or _covers(tensor):
            storage = Storage(slot, tensor.stride(), True, epoch)
        else:
            args = (Ref(storage.slot), Ref(slot), tensor.stride(), tensor.storage_offset())
            written = self._add_call("gdexp::write", args, *self.recording.slots[storage.slot])
            storage = Storage(written, None, True, epoch)
        if address:
            self._storages[address] = storage
        self._note(tensor, slot, storage.epoch)

    def reshape(self, tensor: torch.Tensor, slot: int) -> None:
        """Note that a tensor became another view of its memory."""
        storage = self._storages.get(_address(tensor))
        self._note(tensor, slot, storage.epoch if storage else 0)

    def _note(self, tensor: torch.Tensor, slot: int, epoch: int) -> None:
        self._slots[id(tensor)] = (slot, epoch)
        self._kept.append(tensor)

    def _constant(self, tensor: torch.Tensor) -> int:
        version = 0 if tensor.is_inference() else tensor._version
        known = self._constants.get(id(tensor))
        if known is not None and known[1] == version:
            return known[2]
        slot = self.recording.add_slot(tuple(tensor.shape), tensor.dtype)
        self.recording.constants[slot] = array_of(tensor)
        self._constants[id(tensor)] = (tensor, version, slot)
        return slot

    def _flat(self, storage: Storage) -> int:
        """Return the slot of the memory itself."""
        if not storage.covers:
            raise NotPortable("a part of a tensor is changed or read whose memory is not dense")
        if storage.strides is not None:
            shape, dtype = self.recording.slots[storage.slot]
            size = torch.Size(shape).numel()
            args = (Ref(storage.slot), storage.strides)
            storage.slot = self._add_call("gdexp::flatten", args, (size,), dtype)
            storage.strides = None
        return storage.slot

    def _add_call(
        self, name: str, args: tuple[object, ...], shape: tuple[int, ...], dtype: torch.dtype
    ) -> int:
        slot = self.recording.add_slot(shape, dtype)
        self.recording.calls.append(Call(name, args, {}, (slot,), None))
        return slot


def _address(tensor: torch.Tensor) -> int:
    """Return where the memory of a tensor begins; 0 where it has none."""
    return tensor.untyped_storage().data_ptr()


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all numbers of a tensor's storage as a flat tensor."""
    storage = tensor.untyped_storage()
    size = storage.nbytes() // tensor.element_size()
    return torch.empty(0, dtype=tensor.dtype).set_(storage, 0, (size,), (1,))


def _covers(tensor: torch.Tensor) -> bool:
    """Return whether a tensor holds each number of its storage exactly once."""
    if tensor.numel() * tensor.element_size() != tensor.untyped_storage().nbytes():
        return False
    if tensor.is_contiguous():
        return True
    expected = 1
    pairs = zip(tensor.stride(), tensor.shape, strict=True)
    for stride, n in sorted((s, n) for s, n in pairs if n != 1):
        if stride != expected:
            return False
        expected *= n
    return True
