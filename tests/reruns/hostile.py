"""Configs that came from elsewhere and want to run code, to read files or to take for ever.

Every payload that can writes a file called `canary`, or loads `payload.pkl`, which does.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gdexp import config
from gdexp.tracking.config_yaml import config_yaml
from tests.reruns.records import CONFIG

CANARY, PICKLED = "canary", "payload.pkl"


class _Touch:
    """Writes the canary when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(CANARY),)


def pickled() -> bytes:
    """A pickle that writes the canary."""
    return pickle.dumps(_Touch())


def object_array() -> bytes:
    """A `.npy` file that writes the canary where pickle is allowed."""
    content = io.BytesIO()
    np.save(content, np.array([_Touch()], dtype=object), allow_pickle=True)
    return content.getvalue()


def target(name: str, *arguments: object, **others: object) -> dict[str, object]:
    """A node that `hydra.utils.instantiate` would call."""
    return {"_target_": name, "_args_": list(arguments), **others}


PATH = target("pathlib.Path", CANARY)
SHELL = f"touch {CANARY}"

CALLS: dict[str, dict[str, object]] = {
    each["_target_"]: each  # type: ignore[misc]
    for each in (
        target("builtins.exec", f"open('{CANARY}', 'w')"),
        target("builtins.eval", f"open('{CANARY}', 'w')"),
        target("builtins.open", CANARY, "w"),
        target("builtins.compile", "1", "x", "eval"),
        target("builtins.__import__", "antigravity"),
        target("io.open", CANARY, "w"),
        target("os.system", SHELL),
        target("os.popen", SHELL),
        target("os.execvp", "touch", ["touch", CANARY]),
        target("posix.system", SHELL),
        target("subprocess.run", ["touch", CANARY]),
        target("subprocess.Popen", ["touch", CANARY]),
        target("subprocess.getoutput", SHELL),
        target("importlib.import_module", "evil"),
        target("runpy.run_path", "evil.py"),
        target("pickle.load", target("builtins.open", PICKLED, "rb")),
        target("shutil.copyfile", PICKLED, CANARY),
        target("urllib.request.urlretrieve", f"file://{PICKLED}", CANARY),
        target("logging.config.dictConfig", {"version": 1}),
        target("pathlib.Path.touch", PATH),
        target("pathlib.Path.write_text", PATH, "x"),
        target("pathlib.Path.unlink", target("pathlib.Path", PICKLED)),
        target("torch.load", PICKLED, weights_only=False),
        target("torch.save", [1], CANARY),
        target("torch.hub.load", ".", "evil", source="local"),
        target("torch.ops.load_library", "./evil.so"),
        target("torch.jit.load", PICKLED),
        target("torch.package.PackageImporter", PICKLED),
        target("numpy.load", "objects.npy", allow_pickle=True),
        target("numpy.save", CANARY, [1]),
        target("numpy.memmap", CANARY, shape=[4], mode="w+"),
        target("numpy.ctypeslib.load_library", "evil", "."),
        target("joblib.load", PICKLED),
        target("joblib.dump", 1, CANARY),
        target("hydra.utils.instantiate", target("os.system", SHELL)),
        target("hydra.utils.call", target("os.system", SHELL)),
        target("hydra.utils.get_method", "os.system"),
        target("hydra._internal.utils._locate", "evil"),
        target("omegaconf.OmegaConf.save", {}, CANARY),
        target("mlflow.pyfunc.load_model", "."),
        target("mlflow.pytorch.load_model", "."),
        target("mlflow.projects.run", "."),
        target("mlflow.log_artifact", PICKLED),
        target("gdexp.__main__.main", ["+export"]),
        target("gdexp.problems.custom.import_by_path", "evil.loss"),
    )
}
"""Every call that would be made, by the name of what is called."""

PLACES = {
    "the config itself": lambda node: {**CONFIG, **node},
    "a further key": lambda node: {**CONFIG, "callbacks": node},
    "a group": lambda node: {**CONFIG, "problem": {**CONFIG["problem"], **node}},
    "a value": lambda node: put("optimizer.lr", node),
    "a list": lambda node: put("problem.target", [[0.1, node]]),
    "deep in lists": lambda node: put("problem.x0", [[[[[node]]]]]),
    "the options of torch.optim": lambda node: {
        **CONFIG,
        "optimizer": {"name": "torch", "class_name": "SGD", "lr": 0.1, "options": node},
    },
    "the arguments of a problem": lambda node: {
        **CONFIG,
        "problem": {"name": "custom", "path": "evil.loss", "arguments": {"a": node}},
    },
    "a schedule": lambda node: put("optimizer.schedule", {"name": "constant", **node}),
    "a partial": lambda node: put("stopping.cap", {**node, "_partial_": True}),
    "not converted": lambda node: put("seed", {**node, "_convert_": "none"}),
}
"""Where a node is put."""

INTERPOLATIONS = [
    "${oc.create:{_target_:os.system,_args_:['touch canary']}}",
    "${oc.env:HOME}",
    "${oc.env:NOTHING,1.0}",
    "${oc.decode:'1'}",
    "${oc.select:seed}",
    "${oc.dict.keys:problem}",
    "${oc.deprecated:seed}",
    "${hydra:runtime.cwd}",
    "${now:%Y}",
    "${seed}",
    "${.lr}",
    "x${seed}",
    "\\${seed}",
    "${${seed}}",
]

PYTHON_TAGS = [
    f"!!python/object/apply:os.system ['{SHELL}']",
    f"!!python/object/new:os.system ['{SHELL}']",
    "!!python/name:os.system",
    "!!python/module:evil",
    "!!python/object:pathlib.Path {}",
    "!!binary aGVsbG8=",
    "!!float 1",
    "!own 1",
]

BOMB = "\n".join(
    ["a: &a [x,x,x,x,x,x,x,x,x]"]
    + [
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
)


def put(key: str, value: object) -> dict[str, Any]:
    """The usual config with another value."""
    return config.with_values(CONFIG, {key: value})


def block_yaml(given: Mapping[str, object]) -> bytes:
    """A config as plain YAML."""
    return yaml.safe_dump(dict(given), sort_keys=False, default_flow_style=False).encode()


def line(key: str, text: str) -> bytes:
    """The usual config as YAML with a text for a value, whatever it is."""
    return block_yaml(put(key, "REPLACED")).replace(b"REPLACED", text.encode())


def of_problem(**problem: object) -> dict[str, Any]:
    """A config with another problem."""
    return {**CONFIG, "problem": problem}


def of_torch(**optimizer: object) -> dict[str, Any]:
    """A config with a class of torch.optim."""
    return {**CONFIG, "optimizer": {"name": "torch", "lr": 0.1, **optimizer}}


def configs() -> dict[str, bytes]:
    """Every hostile config by what it does."""
    usual = block_yaml(CONFIG)
    built: dict[str, Mapping[str, object]] = {}
    for number, (name, node) in enumerate(CALLS.items()):
        places = list(PLACES)
        place = places[number % len(places)]
        built[f"{name} in {place}"] = PLACES[place](node)
    for place, placed in PLACES.items():
        built[f"os.system in {place}"] = placed(CALLS["os.system"])
    built |= {f"interpolation {text}": put("optimizer.lr", text) for text in INTERPOLATIONS}
    built |= {
        "an interpolation in a list": put("problem.target", [[1.0, "${seed}"]]),
        "an interpolation as a problem's name": of_problem(name="${oc.env:HOME}"),
        "a problem of the user's own": of_problem(name="custom", path="evil.loss", shape=[3, 3]),
        "os.system as a problem": of_problem(name="custom", path="os.system", shape=[3, 3]),
        "no path": of_problem(name="custom", shape=[2]),
        "a list of paths": of_problem(name="custom", path=["os.system"], shape=[2]),
        "os.system as a problem's name": of_problem(name="os.system"),
        "a folder as a problem's name": of_problem(name="../../evil"),
        "a folder as a rule's name": put("optimizer.name", "../../evil"),
        "a folder as a schedule's name": put("optimizer.schedule", {"name": "../../evil"}),
        "os.system as a class of torch.optim": of_torch(class_name="os.system"),
        "a hook of torch.optim": of_torch(class_name="Optimizer"),
        "a private name in torch.optim": of_torch(class_name="_multi_tensor"),
        "years of inner iterations": of_torch(class_name="LBFGS", options={"max_iter": 10**12}),
        "Hydra's own settings": {**CONFIG, "hydra": {"run": {"dir": "/"}}},
        "a place to write to": {**CONFIG, "tracking": {"uri": "sqlite:///canary"}},
        "trust for itself": {**CONFIG, "trust": ["evil.loss"]},
        "a sweep": {**CONFIG, "sweep": {"n_trials": 10**6}},
        "a billion variables": of_problem(name="quadratic", dimension=10**9),
        "a wide network": of_problem(name="function", hidden=[10**9]),
        "a billion points": of_problem(name="function", points=10**9),
        "a huge shape": of_problem(name="custom", path="evil.loss", shape=[10**6, 10**6]),
        "no problem": {key: value for key, value in CONFIG.items() if key != "problem"},
        "a list for a group": {**CONFIG, "optimizer": [1, 2]},
        "an escape sequence": put("dtype", "\x1b[2Jfloat32"),
        "a line break": put("device", "cpu\nINFO all is well"),
        "text that turns round": put("dtype", "float32\u202e"),
        "an integer of 2^70": put("seed", 2**70),
        "more iterations than there is time": put("stopping.max_iterations", 2**62),
        "infinity": put("optimizer.lr", float("inf")),
        "no number": put("stopping.threshold", float("nan")),
    }
    raw = {f"YAML tag {text}": line("optimizer.lr", text) for text in PYTHON_TAGS}
    raw |= {
        "an alias bomb": BOMB.encode(),
        "an alias": line("optimizer.lr", "&a 1.0\nother: *a"),
        "an anchor": line("optimizer.lr", "&a 1.0"),
        "a merge key": usual + b"<<: {seed: 1}\n",
        "a set": usual + b"? a\n? b\n",
        "a date": line("seed", "2020-01-01"),
        "two documents": usual + b"---\n" + usual,
        "an integer of 2,001 digits": line("seed", "9" * 2_001),
        "an integer of 100,000 digits": line("seed", "9" * 100_000),
        "a number in base 60": line("seed", "9" + ":59" * 600),
        "a hundred thousand brackets": line("problem.target", "[" * 100_000),
        "a nest 40 deep": line("problem.target", "[" * 40 + "]" * 40),
        "a list of 200,000 numbers": line("problem.target", f"[{'1,' * 200_000}]"),
        "more bytes than are read": usual + b"#" * 4_000_001,
        "a key of 3,000 characters": usual + b"k" * 3_000 + b": 1\n",
        "a key that is a list": usual + b"? [a]\n: 1\n",
        "a key that is a number": usual + b"1: 1\n",
        "NUL bytes": usual.replace(b"float32", b"float\0002"),
        "bytes that are no text": b"\xff\xfe\x00\xd8" + usual,
        "a pickle": pickled(),
        "an ELF header": b"\x7fELF" + bytes(200),
        "nothing": b"",
        "a list": b"- 1\n- 2\n",
        "one word": b"exec\n",
        "a tab": b"seed:\t\t- x\n\t y",
    }
    return {name: config_yaml(value) for name, value in built.items()} | raw


MANIFESTS: dict[str, object] = {
    "a folder above": {"../canary": "0" * 64},
    "a folder above, further in": {"x/../../canary": "0" * 64},
    "an absolute path": {"/etc/passwd": "0" * 64},
    "a home": {"~/.ssh/id_rsa": "0" * 64},
    "backslashes": {"..\\..\\canary": "0" * 64},
    "a drive": {"C:\\canary": "0" * 64},
    "dots": {"..": "0" * 64},
    "nothing for a name": {"": "0" * 64},
    "NUL": {"final.npy\0.txt": "0" * 64},
    "a line break": {"a\nINFO all is well": "0" * 64},
    "an escape sequence": {"\x1b]0;title\x07": "0" * 64},
    "percent signs": {"%2e%2e/%2e%2e/canary": "0" * 64},
    "an address": {"http://127.0.0.1:9/x": "0" * 64},
    "a long name": {"x" * 5_000: "0" * 64},
    "ten thousand files": {f"f{i}": "0" * 64 for i in range(10_000)},
    "no sha256": {"final.npy": "yes"},
    "numbers": {"final.npy": 7},
    "a list": ["final.npy"],
    "one number": 7,
    "a deep nest": "[" * 100_000,
}
"""What stands in a `manifest.json`."""
