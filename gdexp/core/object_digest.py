"""The digest of a Python object: its class, its values, and the code that they run.

Two objects with one digest make the same descent, so a study can go on with the second. What an
object holds that cannot be read this way, such as an open file, makes its digest its own: no other
object has it, and nothing is continued by mistake.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

from gdexp.core.object_source import source_of
from gdexp.core.own_files import is_own
from gdexp.core.user_code import UserCode
from gdexp.core.user_modules import own_module_file

DIGITS = 16
PLAIN = (bool, int, float, complex, str, bytes, range, slice, type(None), type(...))
HIDDEN = "_gdexp_"
"""The beginning of attributes in which gdexp keeps what follows from the others."""

NOT_OF_A_CLASS = frozenset(
    {"__dict__", "__weakref__", "__module__", "__doc__", "__abstractmethods__", "_abc_impl"}
    | {"__firstlineno__", "__static_attributes__", "__slotnames__"}
)
"""Attributes of a class that do not decide what it does."""


class Described(NamedTuple):
    """What is known of an object.

    Attributes:
        digest: hex digits.
        sources: the source of each function and class of the user's own, by its name.
        whole: whether the digest covers all of the object; else no other object has it.
    """

    digest: str
    sources: Mapping[str, str]
    whole: bool


def described(value: object, without: Collection[str] = ()) -> Described:
    """Return the digest and the sources of an object.

    Args:
        value: the object.
        without: attributes that do not count, of the object or of one that it holds.
    """
    reader = _Reader(without)
    reader.add(value)
    if not reader.whole:
        reader.text(uuid4().hex)
    return Described(reader.hash.hexdigest()[:DIGITS], reader.sources, reader.whole)


class _Reader:
    """Reads an object into a hash, each part of it once.

    Args:
        without: attributes that are left out.
    """

    def __init__(self, without: Collection[str]) -> None:
        self._without = without
        self.hash = hashlib.sha256()
        self.sources: dict[str, str] = {}
        self.whole = True
        self._seen: dict[int, int] = {}
        self._held: list[object] = []

    def text(self, *words: object) -> None:
        """Add words."""
        for word in words:
            content = str(word).encode(errors="surrogatepass")
            self.hash.update(str(len(content)).encode() + b":" + content)

    def add(self, value: object) -> None:
        """Add an object and all that it holds."""
        if isinstance(value, PLAIN):
            self.text(type(value).__name__, repr(value))
            return
        if id(value) in self._seen:
            self.text("seen", self._seen[id(value)])
            return
        self._seen[id(value)] = len(self._seen)
        self._held.append(value)  # so that no other object takes its id
        self._add_new(value)

    def _add_new(self, value: object) -> None:
        if isinstance(value, ModuleType):
            self._module(value)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, MethodType):
            self._all("method", value.__func__, value.__self__)
        elif isinstance(value, functools.partial):
            self._all("partial", value.func, value.args, value.keywords)
        elif isinstance(value, CodeType):
            self._code(value)
        elif isinstance(value, staticmethod | classmethod):
            self._all(type(value).__name__, value.__func__)
        elif isinstance(value, property):
            self._all("property", value.fget, value.fset)
        elif isinstance(value, functools.cached_property):
            self._all("cached property", value.func)
        elif inspect.isroutine(value) or inspect.isdatadescriptor(value):  # of a C library
            name = getattr(value, "__qualname__", type(value).__name__)
            self.text("routine", getattr(value, "__module__", ""), name)
        elif isinstance(value, Mapping):
            self.text(type(value).__name__, len(value))
            for key, item in value.items():
                self._all("item", key, item)
        elif isinstance(value, Sequence):
            self._all(type(value).__name__, len(value), *value)
        elif isinstance(value, set | frozenset):
            self._all(type(value).__name__, *sorted(value, key=repr))
        elif not self._numbers(value):
            self._instance(value)

    def _all(self, kind: str, *values: object) -> None:
        self.text(kind)
        for value in values:
            self.add(value)

    def _numbers(self, value: Any) -> bool:  # noqa: ANN401
        """Add an array, a tensor or a thing of torch's; return whether it is one."""
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
            array = numpy.ascontiguousarray(value)
            self.text("array", array.dtype.str, value.shape)
            if array.dtype.hasobject:
                self._all("objects", *array.ravel().tolist())
            else:
                self.hash.update(array.tobytes())
            return True
        if torch is None:
            return False
        if isinstance(value, torch.Tensor):
            plain = value.detach().cpu().contiguous()
            self.text("tensor", value.dtype, tuple(value.shape), value.device, value.requires_grad)
            self.hash.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
            return True
        if isinstance(value, torch.dtype | torch.device):
            self.text("torch", value)
            return True
        if isinstance(value, torch.Generator):
            self._all("generator", value.get_state())
            return True
        return False

    def _module(self, module: ModuleType) -> None:
        self.text("module", module.__name__)
        if own_module_file(module) is not None and module.__name__ != "__main__":
            for name, digest in UserCode(f"{module.__name__}.x").digests.items():
                self.text(name, digest)

    def _function(self, function: FunctionType) -> None:
        self.text("function", function.__module__, function.__qualname__)
        if not _is_of_user(function):
            return
        self._keep_source(function)
        self._code(function.__code__)
        self._all("defaults", function.__defaults__, function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:  # a name that has no value yet
                self.text("empty")
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                self._all(f"global {name}", function.__globals__[name])

    def _code(self, code: CodeType) -> None:
        self.text(code.co_code.hex(), *code.co_names, *code.co_varnames)
        for value in code.co_consts:
            self.add(value)

    def _class(self, cls: type) -> None:
        self.text("class", cls.__module__, cls.__qualname__)
        if not _is_of_user(cls):
            return
        self._keep_source(cls)
        self._all("bases", *cls.__bases__)
        for name, value in sorted(vars(cls).items()):
            if name not in NOT_OF_A_CLASS:
                self._all(name, value)

    def _instance(self, value: object) -> None:
        self.add(type(value))
        held = {**_slots(value), **getattr(value, "__dict__", {})}
        if not held and not _has_no_state(value):
            self.whole = False
        for name, item in sorted(held.items()):
            if not name.startswith(HIDDEN) and name not in self._without:
                self._all(name, item)

    def _keep_source(self, value: type | FunctionType) -> None:
        if text := source_of(value):
            self.sources[f"{value.__qualname__.replace('.<locals>', '')}.py"] = text


def _is_of_user(value: type | FunctionType) -> bool:
    """Return whether the code of a function or class is the user's own."""
    if isinstance(value, FunctionType):
        file = value.__code__.co_filename
        return file.startswith("<") or is_own(file)  # `<stdin>`, `<ipython-input-…>`
    module = sys.modules.get(value.__module__)
    if value.__module__ == "__main__" or module is None:
        return True
    return own_module_file(module) is not None


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global names that code uses, that of inner functions included."""
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)


def _slots(value: object) -> dict[str, object]:
    found = {}
    for cls in type(value).__mro__:
        named = vars(cls).get("__slots__", ())
        for name in [named] if isinstance(named, str) else named:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def _has_no_state(value: object) -> bool:
    """Return whether an object without attributes is one of a plain class of Python code."""
    return bool(inspect.getattr_static(type(value), "__init__", None) is object.__init__) and (
        type(value).__flags__ & (1 << 9) != 0  # a class made by a `class` statement
    )
