"""The processor's floating-point mode: round to nearest, subnormals kept, nothing trapped."""

from __future__ import annotations

ARCHITECTURES = ("x86_64", "aarch64")
"""The processors whose mode can be set."""

_X86 = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

define void @advance(ptr %table, i64 %begin, i64 %end, ptr %scratch) {
entry:
  %before = alloca i32
  %wanted = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %before)
  store i32 8064, ptr %wanted
  call void @llvm.x86.sse.ldmxcsr(ptr %wanted)
  call void @rows(ptr %table, i64 %begin, i64 %end, ptr %scratch)
  call void @llvm.x86.sse.ldmxcsr(ptr %before)
  ret void
}
"""

_AARCH64 = """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)

define void @advance(ptr %table, i64 %begin, i64 %end, ptr %scratch) {
entry:
  %before = call i64 @llvm.aarch64.get.fpcr()
  call void @llvm.aarch64.set.fpcr(i64 0)
  call void @rows(ptr %table, i64 %begin, i64 %end, ptr %scratch)
  call void @llvm.aarch64.set.fpcr(i64 %before)
  ret void
}
"""


def entry(architecture: str) -> str:
    """Return the function `advance`: it sets the mode, calls `rows` and restores the mode.

    `rows` is never inlined, so that no arithmetic moves out of the mode.
    """
    return _X86 if architecture == "x86_64" else _AARCH64
