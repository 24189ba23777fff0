"""Making machine code from LLVM code, for this processor or for a plain one of its kind."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from gdexp.core import BadInput
from gdexp.engine.native.mode import ARCHITECTURES

LlvmObject = Any
"""An object of llvmlite, which has no types."""

CPUS = ("host", "baseline")
"""The processors that code is made for."""

_ONE_AT_A_TIME = threading.Lock()
"""LLVM has one context for the process; it takes one compilation at a time."""

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
"""A call of it releases the interpreter's lock."""


@dataclass(frozen=True)
class MachineCode:
    """A compiled function.

    Attributes:
        call: takes the table's address, the first row, the row after the last one, and the
            address of scratch memory.
        owner: keeps the code in memory.
    """

    call: Callable[[int, int, int, int], None]
    owner: LlvmObject


@cache
def binding() -> ModuleType:
    """Return llvmlite's binding, made ready once.

    Raises:
        BadInput: there is none, or it cannot be used on this machine.
    """
    try:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        triple = llvm.get_process_triple()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise BadInput("engine", "native", f"needs llvmlite, which fails: {reason}") from None
    if architecture(triple) not in ARCHITECTURES:
        allowed = f"is made for {' and '.join(ARCHITECTURES)}, not for {triple}"
        raise BadInput("engine", "native", allowed)
    module: ModuleType = llvm
    return module


def available() -> str | None:
    """Return None where native code can be made, else why not, in one line."""
    try:
        binding()
    except BadInput as error:
        return str(error)
    return None


def architecture(triple: str) -> str:
    """Return the processor of a target."""
    name = triple.partition("-")[0]
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(name, name)


def target_machine(triple: str, cpu: str, level: int = 3) -> LlvmObject:
    """Return LLVM's description of the processor that code is made for.

    Args:
        triple: the target.
        cpu: host, or baseline for a plain processor of the kind.
        level: of the choice of instructions, 0 (soonest made) … 3 (fastest).
    """
    llvm = binding()
    target = llvm.Target.from_triple(triple)
    plain = {"x86_64": "x86-64", "aarch64": "generic"}[architecture(triple)]
    name, features = plain, ""
    if cpu == "host":
        name, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=name, features=features, opt=level, jit=True)


def verified(text: str, machine: LlvmObject) -> LlvmObject:
    """Return LLVM's module of a text, checked."""
    module = binding().parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    return module


def optimised(text: str, machine: LlvmObject) -> LlvmObject:
    """Return LLVM's module of a text, checked and optimised.

    No pass may reorder or join floating-point operations: the text has no fast-math flag, and
    fusing is off unless a flag asks for it.
    """
    llvm = binding()
    module = verified(text, machine)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    options.slp_vectorization = True
    options.loop_interleaving = True
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def compile_text(text: str, cpu: str, optimise: bool = True) -> MachineCode:
    """Return the function `advance` of a text.

    Args:
        text: of a module for this machine's kind of processor.
        cpu: host or baseline.
        optimise: whether it is made faster; that takes longer than short descents do.
    """
    llvm = binding()
    with _ONE_AT_A_TIME:
        machine = target_machine(llvm.get_process_triple(), cpu, 3 if optimise else 0)
        module = optimised(text, machine) if optimise else verified(text, machine)
        owner = llvm.create_mcjit_compiler(module, machine)
        owner.finalize_object()
        address = owner.get_function_address("advance")
    return MachineCode(_FUNCTION(address), owner)


def assembly(text: str, triple: str, cpu: str) -> str:
    """Return the instructions that LLVM makes of a text, for people and tests.

    Args:
        text: of a module for the target.
        triple: the target, also one of another kind of processor.
        cpu: host or baseline.
    """
    llvm = binding()
    with _ONE_AT_A_TIME:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        machine = target_machine(triple, cpu)
        instructions: str = machine.emit_assembly(optimised(text, machine))
    return instructions
