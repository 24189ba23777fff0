"""A plan as data: stored with its sha256, and read back as data that anyone may have written.

The content is one line of JSON, then the bytes of each program. The sha256 is of the content; the
file is the content compressed. Reading runs nothing: every size is bounded and every node of every
program is checked.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from functools import cached_property

from gdexp.core import BadInput
from gdexp.engine.gradient_norm import GRADIENT_NORM
from gdexp.engine.operations import Kind
from gdexp.engine.plan import Plan
from gdexp.engine.program import Node, Program

FORMAT = 1
"""The version of the stored form."""

MOST_STORED = 1 << 26
"""The most bytes of a content, and of a file."""

MOST_NODES, MOST_COMPUTED = 1 << 15, 1 << 28
"""The most operations of a program that was read, and the most numbers that they compute."""

PROGRAMS = ("evaluate", "first", "update")
DOUBLE = "double"
"""The names of the programs in the content; `double` may be missing."""


@dataclass(frozen=True, eq=False)
class StoredPlan:
    """The programs of a descent with what they are of.

    Attributes:
        plan: the programs.
        rule: the name of the update rule.
        choices: the coefficients of the rule that chose a formula; None for each number.
        numerics: the version of the portable arithmetic that they were made with.
        double: the loss in float64, where a descent in float32 needed it.
    """

    plan: Plan
    rule: str
    choices: tuple[bool | None, ...]
    numerics: int
    double: Program | None = None

    @cached_property
    def content(self) -> bytes:
        """All as bytes; equal plans have equal bytes."""
        programs = {name: getattr(self.plan, name).stored for name in PROGRAMS}
        if self.double is not None:
            programs[DOUBLE] = self.double.stored
        header = {
            "format": FORMAT,
            "numerics": self.numerics,
            "rule": self.rule,
            "choices": self.choices,
            "coefficients": self.plan.coefficients,
            "programs": [[name, len(each)] for name, each in programs.items()],
        }
        line = json.dumps(header, separators=(",", ":")).encode() + b"\n"
        return line + b"".join(programs.values())

    @cached_property
    def sha256(self) -> str:
        """The digest of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed."""
        return zlib.compress(self.content, 6)

    @property
    def is_storable(self) -> bool:
        """Whether it is small enough to be read back."""
        return max(len(self.content), len(self.packed)) <= MOST_STORED

    @classmethod
    def unpack(cls, packed: bytes, sha256: str) -> StoredPlan:
        """Return the plan in a file, checked.

        Args:
            packed: the bytes of the file.
            sha256: that its content must have.

        Raises:
            ValueError: why the file cannot be used, in one clause.
        """
        content = _decompressed(packed)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError("is not the program of its sha256")
        try:
            return _parsed(content)
        except BadInput as error:
            raise ValueError(f"holds no program: {error.allowed}") from None
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise ValueError(f"holds no program of this version: {error}") from None


def _decompressed(packed: bytes) -> bytes:
    if len(packed) > MOST_STORED:
        raise ValueError(f"is larger than {MOST_STORED:,} bytes")
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(packed, MOST_STORED + 1)
    except zlib.error:
        raise ValueError("is not compressed as gdexp does it") from None
    if len(content) > MOST_STORED:
        raise ValueError(f"holds more than {MOST_STORED:,} bytes")
    if not reader.eof or reader.unused_data:
        raise ValueError("is cut off or has bytes left over")
    return content


def _parsed(content: bytes) -> StoredPlan:
    line, _, rest = content.partition(b"\n")
    header = json.loads(line)
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']}")
    programs: dict[str, Program] = {}
    offset = 0
    for name, length in header["programs"]:
        if type(length) is not int or length < 0 or name in programs:
            raise ValueError("its list of programs is odd")
        programs[name] = Program.load(rest[offset : offset + length])
        offset += length
    if offset != len(rest) or [*programs][:3] != [*PROGRAMS] or {*programs} - {*PROGRAMS, DOUBLE}:
        raise ValueError("its programs are not those of a descent")
    rule, choices, numbers = header["rule"], header["choices"], header["coefficients"]
    if not isinstance(rule, str) or type(header["numerics"]) is not int or type(numbers) is not int:
        raise ValueError("its header is odd")
    if not all(each is None or isinstance(each, bool) for each in choices):
        raise ValueError("its choices are odd")
    plan = Plan(programs["evaluate"], programs["first"], programs["update"], numbers)
    _check_plan(plan, programs.get(DOUBLE))
    return StoredPlan(plan, rule, tuple(choices), header["numerics"], programs.get(DOUBLE))


def _check_plan(plan: Plan, double: Program | None) -> None:
    """Check that programs fit together and what runs them.

    Raises:
        ValueError: names what does not.
    """
    if not 0 <= plan.coefficients <= 64:
        raise ValueError(f"{plan.coefficients} coefficients")
    for program in (plan.evaluate, plan.first, plan.update, *([] if double is None else [double])):
        if len(program.nodes) > MOST_NODES:
            raise ValueError(f"{len(program.nodes):,} operations")
        if sum(node.size for node in program.nodes) > MOST_COMPUTED:
            raise ValueError(f"it computes more than {MOST_COMPUTED:,} numbers")
    shape = plan.shape
    _check_evaluation(plan.evaluate, plan.dtype, shape)
    if double is not None:
        _check_evaluation(double, "float64", shape)
    given = {"x": shape, "gradient": shape, "loss": ()}
    given |= {f"coefficient{i}": () for i in range(plan.coefficients)}
    _check_inputs(plan.first, plan.dtype, given)
    states = {f"state{i}": each for i, each in enumerate(plan.state_shapes)}
    _check_inputs(plan.update, plan.dtype, given | states)
    for program in (plan.first, plan.update):
        outputs = _outputs(program)
        accepted = outputs.pop("accepted", None)
        if accepted is not None and (accepted.shape, accepted.kind) != ((), Kind.BOOLEAN):
            raise ValueError("its result `accepted` is no single boolean")
        _check_floats(outputs, {"x": shape, **states})


def _check_evaluation(program: Program, dtype: str, shape: tuple[int, ...]) -> None:
    _check_inputs(program, dtype, {"x": shape})
    outputs = _outputs(program)
    norm = {GRADIENT_NORM: ()} if GRADIENT_NORM in outputs else {}
    _check_floats(outputs, {"loss": (), "gradient": shape, **norm})


def _check_inputs(program: Program, dtype: str, given: dict[str, tuple[int, ...]]) -> None:
    if program.dtype != dtype:
        raise ValueError("its programs have several dtypes")
    for name, place in program.inputs.items():
        node = program.nodes[place]
        if given.get(name) != node.shape or node.kind != Kind.FLOAT:
            raise ValueError(f"an input {name!r} of shape {node.shape}")


def _check_floats(outputs: dict[str, Node], wanted: dict[str, tuple[int, ...]]) -> None:
    if {name: node.shape for name, node in outputs.items()} != wanted:
        raise ValueError("its results are not those of a descent")
    if any(node.kind != Kind.FLOAT for node in outputs.values()):
        raise ValueError("one of its results is no float")


def _outputs(program: Program) -> dict[str, Node]:
    return {name: program.nodes[place] for name, place in program.outputs.items()}
