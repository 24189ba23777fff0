"""The provenance of a run, for its reruns: environment, state of the source, grouping."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from gdexp.config import ARITHMETIC, NUMERICS, PORTABLE, import_paths, overrides
from gdexp.core import UserCode, indented_json, mask_source, user_code
from gdexp.engine import StoredPlan
from gdexp.experiment.own_source import limited, source_diff, source_state
from gdexp.experiment.programs import PROGRAM, PROGRAM_KEY
from gdexp.version import __version__

PACKAGES = ("torch", "numpy", "hydra-core", "omegaconf", "optuna", "mlflow", "scikit-learn")
NUMERIC_VARIABLES = (
    *("MKL_", "ATEN_", "ONEDNN_", "DNNL_", "OMP_", "KMP_", "CUBLAS_", "OPENBLAS_"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32"),
)
"""Prefixes of the environment variables that change numbers."""

ALONE, BATCH = "alone", "batch"
"""The groupings: a descent of its own, or a row of a batch."""

ENVIRONMENT, DIFF = "environment.json", "source.diff"
PROBLEM_SOURCE, USER_SOURCES = "problem_source.txt", "user_sources.json"
SOURCE_TEXTS = (DIFF, PROBLEM_SOURCE, USER_SOURCES, PROGRAM)
"""The artifacts made of source; `tracking.source=false` leaves them out."""

MOST_TEXTS = 256 * 1024
"""The most bytes of all texts of source that are stored in one JSON."""


def provenance_files(
    composed: Mapping[str, Any],
    grouping: str | None = ALONE,
    whole: bool = True,
    settings: Settings | None = None,
    program: StoredPlan | None = None,
) -> dict[str, bytes]:
    """Return the artifacts that say where and how a descent was made.

    Args:
        composed: its config.
        grouping: `ALONE` or `BATCH`; None for a sweep, which is not one descent.
        whole: include the texts of changed source and the program, which all trials of a sweep
            share.
        settings: of the process; None: as they are now.
        program: what the descent computed; None on engine torch.

    Returns:
        `environment.json`; `source.diff` if gdexp's source was changed; if the problem is the
        user's own, `problem_source.txt`, and `user_sources.json` with the texts of its other
        files; and `program.z`. All texts are cut to `MOST_TEXT` and hold no secrets.
    """
    own: dict[str, Any] = {} if grouping is None else {"grouping": grouping}
    own["overrides"] = overrides(composed)
    own |= _gpu(composed.get("device"))
    if composed.get("engine") == PORTABLE:
        own["arithmetic"] = ARITHMETIC
    if program is not None:
        own["constants"] = program.plan.constants_sha256
        if program.is_storable:
            own[PROGRAM_KEY] = program.sha256
    texts = {DIFF: source_diff()} if whole else {}
    code = problem_code(composed)
    codes = user_codes(composed)
    if codes:
        libraries = _merged(each.distributions for each in codes)
        own["code"] = {"files": code_digests(composed), "distributions": libraries}
        own |= {} if code is None else _problem_entry(code)
        texts |= _sources(codes, code)
    shared = _environment_text(settings or process_settings())
    # Two objects become one: the part that all descents of a process share is written once.
    text = shared.removesuffix("\n}") + "," + indented_json(own).removeprefix("{")
    found = {ENVIRONMENT: (text + "\n").encode()}
    if whole and PROGRAM_KEY in own and program is not None:
        found[PROGRAM] = program.packed
    return found | {name: text.encode() for name, text in texts.items() if text}


def environment() -> dict[str, Any]:
    """Return versions, processor, threads and the variables that change numbers; for JSON."""
    return _environment(process_settings())


class Settings(NamedTuple):
    """What can change while a process runs, and changes numbers."""

    threads: int
    interop_threads: int
    deterministic: bool
    matmul_precision: str
    flush_denormal: bool
    variables: tuple[tuple[str, str], ...]


def process_settings() -> Settings:
    """Return the settings of this process that change numbers, as they are now."""
    import torch

    return Settings(
        torch.get_num_threads(),
        torch.get_num_interop_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        bool((torch.full((), 1e-40) * 1 == 0).item()),
        tuple(
            (name, mask_source(value))
            for name, value in sorted(os.environ.items())
            if name.startswith(NUMERIC_VARIABLES)
        ),
    )


def _environment(settings: Settings) -> dict[str, Any]:
    values = settings._asdict()
    variables = values.pop("variables")
    return {
        **_machine(),
        "torch": {**_torch(), **values},
        "variables": dict(variables),
        "source": source_state(),
    }


@lru_cache(8)
def _environment_text(settings: Settings) -> str:
    """Return the environment as indented JSON, which takes as long as a short descent."""
    return json.dumps(_environment(settings), indent=2, default=str)


def problem_code(composed: Mapping[str, Any]) -> UserCode | None:
    """Return the user's own code and data behind a config's problem; None for gdexp's problems.

    Nothing is imported: it is what this process has loaded.
    """
    problem = composed.get("problem")
    path = problem.get("path") if isinstance(problem, Mapping) else None
    return user_code(path) if isinstance(path, str) else None


def user_codes(composed: Mapping[str, Any]) -> list[UserCode]:
    """Return the user's own code and data of a config: of its problem, optimizer and schedule."""
    return [user_code(path) for path in import_paths(composed)]


def code_digests(composed: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each file of the user's own code and data of a config, by name."""
    return _merged(code.digests for code in user_codes(composed))


def recorded_code(recorded: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of the user's files in a recorded environment; any part may be malformed.

    Args:
        recorded: the content of `environment.json`.
    """
    code = recorded.get("code")
    files = code.get("files") if isinstance(code, Mapping) else None
    if not isinstance(files, Mapping):
        return {}
    return {k: v for k, v in files.items() if isinstance(k, str) and isinstance(v, str)}


def command_line() -> str:
    """Return the program as a person types it; without arguments, which may hold secrets."""
    return "gdexp" if Path(sys.argv[0]).name == "gdexp" else "python -m gdexp"


@cache
def _machine() -> dict[str, Any]:
    """Return what does not change while a process runs."""
    return {
        "gdexp": __version__,
        "numerics": NUMERICS,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "packages": _packages(),
    }


def _processor() -> str:
    """Return the processor's model, by which libraries choose their code; empty if unknown."""
    try:
        told = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in told.splitlines() if "model name" in line)
    return next(names, platform.processor())


def _gpu(device: object) -> dict[str, Any]:
    """Return the GPU that a config asks for and its settings; nothing without a GPU."""
    if not isinstance(device, str) or not device.startswith("cuda"):
        return {}
    import torch

    if not torch.cuda.is_available():
        return {}
    from gdexp.descent import arithmetic_settings, exact_arithmetic

    cudnn: Any = torch.backends.cudnn
    with exact_arithmetic(torch.device(device)):
        meanwhile = arithmetic_settings()
    return {
        "gpu": torch.cuda.get_device_name(device),
        "gpu_settings": meanwhile,
        "cudnn": cudnn.version(),
    }


@cache
def _torch() -> dict[str, Any]:
    import torch

    return {
        "git": torch.version.git_version,
        "build": hashlib.sha256(torch.__config__.show().encode()).hexdigest(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": bool(torch._C._has_mkldnn),
        "cuda": torch.version.cuda,
    }


def _problem_entry(code: UserCode) -> dict[str, Any]:
    """Return the import path of a user's problem, and file name and sha256 of its module."""
    if code.module is None:
        return {}
    name, file = code.module
    return {"problem": {"path": code.path, "file": Path(name).name, "digest": file.digest}}


def _merged(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the entries of all parts, in the order of their names."""
    return dict(sorted((name, value) for part in parts for name, value in part.items()))


def _sources(codes: Iterable[UserCode], problem: UserCode | None) -> dict[str, str]:
    """Return the texts of a user's files: the problem's module, and one JSON of all others."""
    files = {name: file for each in codes for name, file in each.files.items()}
    texts = {name: limited(f.text) for name, f in files.items() if f.text}
    module = "" if problem is None or problem.module is None else problem.module[0]
    found = {PROBLEM_SOURCE: texts.pop(module, "")}
    kept: dict[str, str] = {}
    size = 0
    for name, text in sorted(texts.items()):
        size += len(text.encode())
        if size <= MOST_TEXTS:
            kept[name] = text
    if kept:
        found[USER_SOURCES] = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
    return found


@cache
def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # pragma: no cover - all are dependencies
            continue
    return found
