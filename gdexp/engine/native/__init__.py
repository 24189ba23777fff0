"""The native way: a plan compiled to machine code, which advances rows without Python."""

from gdexp.engine.native.compiler import assembly, available
from gdexp.engine.native.engine import CompiledPlans, NativeEngine
from gdexp.engine.native.module import generate

__all__ = ["CompiledPlans", "NativeEngine", "assembly", "available", "generate"]
