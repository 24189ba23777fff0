"""Checkpoints: all that a descent needs to go on with the same bits, as verified files of data."""

from gdexp.checkpoints.checkpointing import Checkpointing
from gdexp.checkpoints.folder import Checkpoint, CheckpointFolder
from gdexp.checkpoints.generators import generator_states, restore_generators
from gdexp.checkpoints.state_tree import decode_tree, encode_tree
from gdexp.checkpoints.tensor_file import DamagedFile, encode_tensors, read_tensors, write_tensors

__all__ = [
    "Checkpoint",
    "CheckpointFolder",
    "Checkpointing",
    "DamagedFile",
    "decode_tree",
    "encode_tensors",
    "encode_tree",
    "generator_states",
    "read_tensors",
    "restore_generators",
    "write_tensors",
]
