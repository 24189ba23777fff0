"""A stored config is data: whatever it says, nothing is run, and one line says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st

from gdexp import BadInput, load_runs
from gdexp.reruns.export_folder import read_folder
from gdexp.reruns.reference import DamagedReference, Reference
from gdexp.reruns.replay import build_experiment
from gdexp.runs.artifact_reader import UnreadableRun
from gdexp.runs.safe_yaml import MAX_CONFIG, parse_config
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.config_yaml import config_yaml
from gdexp.tracking.record import MANIFEST, RunHeader, descent_record
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.reruns import hostile
from tests.reruns.conftest import Ask
from tests.reruns.records import experiment, folder, reference, tampered

CONFIGS = hostile.configs()
ASKED = ("+rerun=./run", "rerun.record=false")


@pytest.fixture(scope="module")
def recorded() -> Reference:
    """A descent as it was recorded."""
    return reference(experiment())


@pytest.fixture
def trap(here: Path) -> Iterator[Path]:
    """The current directory with everything in it that a payload asks for; nothing may be added."""
    (here / "evil.py").write_text(f"open({hostile.CANARY!r}, 'w')\ndef loss(x): return x.sum()\n")
    (here / hostile.PICKLED).write_bytes(hostile.pickled())
    (here / "objects.npy").write_bytes(hostile.object_array())
    before = {path: path.read_bytes() for path in here.iterdir()}
    yield here
    after = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
    assert after == before


def refused(error: str) -> None:
    """The line is short, and names where it comes from."""
    assert error.startswith("./run: ")
    assert len(error) < 400


def test_the_payloads_work_where_configs_are_instantiated(here: Path) -> None:
    (here / hostile.PICKLED).write_bytes(hostile.pickled())
    (here / "objects.npy").write_bytes(hostile.object_array())
    for name in ("pathlib.Path.touch", "torch.load", "numpy.load", "joblib.load", "io.open"):
        node: Any = hostile.CALLS[name]
        with suppress(Exception):  # what was loaded is no array and no module; it has run by then
            made = instantiate(node)
            made.close()
        (here / hostile.CANARY).unlink()


def test_there_are_as_many_as_were_promised() -> None:
    assert len(hostile.CALLS) >= 40
    assert len(CONFIGS) >= 100


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_a_hostile_config_is_refused_in_one_line(
    name: str, recorded: Reference, trap: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = folder(tmp_path_factory.mktemp("elsewhere") / "run", recorded)
    tampered(place, {"config.yaml": CONFIGS[name]}, seal=True)
    with pytest.raises((BadInput, DamagedReference)) as caught:
        build_experiment(read_folder(place, "./run"))
    assert str(caught.value).isprintable()
    refused(str(caught.value))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("os.system in a group", "interpolation ${oc.env:HOME}", "an escape sequence"),
        *("a problem of the user's own", "an alias bomb", "NUL bytes", "a billion variables"),
    ],
)
def test_the_commands_say_it_in_one_line_too(name: str, recorded: Reference, ask: Ask) -> None:
    place = tampered(folder(Path("run"), recorded), {"config.yaml": CONFIGS[name]}, seal=True)
    damaged = name in ("an alias bomb", "NUL bytes")
    refused(ask(*ASKED, status=4 if damaged else 2).error)
    assert [path.name for path in Path.cwd().iterdir()] == [place.name]


@pytest.mark.slow
def test_a_path_is_trusted_only_as_it_was_typed_here(recorded: Reference, ask: Ask) -> None:
    Path("evil.py").write_text(f"open({hostile.CANARY!r}, 'w')\n")
    content = CONFIGS["a problem of the user's own"]
    tampered(folder(Path("run"), recorded), {"config.yaml": content}, seal=True)
    for trust in ("[]", "[evil]", "[evil.los]", "[Evil.loss]", "[evil.*]", "['*']", "[os.system]"):
        said = ask(*ASKED, f"trust={trust}", status=2).error
        assert "problem.path=evil.loss: is not trusted to run: add trust=[evil.loss]" in said
    assert not Path(hostile.CANARY).exists()


@pytest.mark.parametrize("name", hostile.MANIFESTS)
def test_a_hostile_manifest_is_refused_in_one_line(
    name: str, recorded: Reference, trap: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = folder(tmp_path_factory.mktemp("elsewhere") / "run", recorded)
    said = hostile.MANIFESTS[name]
    (place / MANIFEST).write_text(said if isinstance(said, str) else json.dumps(said))
    with pytest.raises(DamagedReference) as caught:
        read_folder(place, "./run")
    assert str(caught.value).isprintable()
    refused(str(caught.value))


def header(text: str) -> bytes:
    """A `.npy` file with any header."""
    content = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little") + content + bytes(36)


ARRAYS: dict[str, bytes] = {
    "objects": hostile.object_array(),
    "a pickle": hostile.pickled(),
    "a zip": b"PK\x03\x04" + bytes(100),
    "a trillion numbers": header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,)}"),
    "numbers that are not there": header(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"
    ),
    "a negative length": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, -3)}"),
    "a product beyond 2^64": header(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}"
    ),
    "code for a header": header("__import__('os').system('touch canary')"),
    "code in a header": header("{'descr': exec('0'), 'fortran_order': False, 'shape': (9,)}"),
    "fields": header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (9,)}"),
    "the other byte order": header("{'descr': '>f4', 'fortran_order': False, 'shape': (9,)}"),
    "integers": encode_array(np.zeros((3, 3), dtype=np.int64)),
    "a long header": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(100),
    "nothing": b"",
}


@pytest.mark.slow
@pytest.mark.parametrize("array", ["initial", "final", "trace"])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_hostile_array_is_refused_in_one_line(
    name: str,
    array: str,
    recorded: Reference,
    trap: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = folder(tmp_path_factory.mktemp("elsewhere") / "run", recorded)
    tampered(place, {f"{array}.npy": ARRAYS[name]}, seal=True)
    with pytest.raises((BadInput, DamagedReference)) as caught:
        build_experiment(read_folder(place, "./run"))
    assert str(caught.value).isprintable()
    refused(str(caught.value))


ENVIRONMENTS: dict[str, bytes] = {
    "another shape": b"[1, 2]",
    "a million threads": b'{"torch": {"threads": 1000000}}',
    "no threads": b'{"torch": {"threads": -1}}',
    "threads that are a word": b'{"torch": {"threads": "all"}}',
    "an engine of its own": b'{"engine": "os.system"}',
    "an escape sequence": b'{"packages": {"torch": "\\u001b[2J"}}',
    "markup": b'{"packages": {"torch": "[link=http://x]y[/link]"}, "machine": "[bold]"}',
    "groups that are none": b'{"torch": 1, "source": [], "problem": 7, "variables": "x"}',
    "infinity": b'{"torch": {"threads": Infinity, "git": NaN}}',
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_odd_environment_changes_nothing_but_what_is_said_of_it(
    name: str, recorded: Reference, ask: Ask
) -> None:
    content = ENVIRONMENTS[name]
    tampered(folder(Path("run"), recorded), {"environment.json": content}, seal=True)
    said = ask(*ASKED)
    assert "verdict identical" in said.out
    assert said.raw.replace("\n", "").isprintable()


def test_a_config_may_not_ask_for_more_variables_than_the_start_has(
    recorded: Reference, ask: Ask
) -> None:
    config = hostile.of_problem(name="quadratic", dimension=100_000)
    tampered(folder(Path("run"), recorded), {"config.yaml": config_yaml(config)}, seal=True)
    said = ask(*ASKED, status=2).error
    assert "asks for 100,000 variables, and the recorded start holds 9" in said


def test_a_link_out_of_a_folder_is_not_followed(recorded: Reference, ask: Ask) -> None:
    place = folder(Path("run"), recorded)
    Path("secret").write_bytes((place / "final.npy").read_bytes())
    (place / "final.npy").unlink()
    (place / "final.npy").symlink_to("../secret")
    assert "final.npy is a link" in ask(*ASKED, status=4).error


def test_nothing_is_parsed_of_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "parse", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(ValueError, match="is larger than"):
        parse_config(bytes(MAX_CONFIG + 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (hostile.BOMB.encode(), "holds anchors"),
        (b"[" + b"1," * 1_000_000, "holds more than 150,000 values"),
        (b"[" * 1_000_000, "is nested more than 32 deep"),
        (b"[" + b"9" * 2001 + b"]", "holds a value of more than 2,000 characters"),
    ],
)
def test_reading_ends_with_the_first_thing_that_is_too_much(
    content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = yaml.parse

    def counted(*arguments: Any, **others: Any) -> Iterator[Any]:
        for event in real(*arguments, **others):
            seen.append(event)
            yield event

    monkeypatch.setattr(yaml, "parse", counted)
    with pytest.raises(ValueError, match=reason):
        parse_config(content)
    assert len(seen) <= 150_010


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_", min_size=1), inner),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(st.text("abc_", min_size=1, max_size=4), values, max_size=4))
def test_every_config_that_is_written_is_read_back_equal(written: dict[str, Any]) -> None:
    read = parse_config(config_yaml(written))
    assert read == written == yaml.safe_load(config_yaml(written))
    assert repr(read) == repr(written)  # 1 is not 1.0, and not true


def test_a_file_that_is_too_large_is_not_read(
    recorded: Reference, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = folder(tmp_path / "run", recorded)
    with (place / "config.yaml").open("r+b") as file:
        file.truncate(1 << 40)  # with a hole: it takes no room
    with pytest.raises(DamagedReference, match=r"config.yaml is larger than"):
        read_folder(place, "./run")


@pytest.mark.slow
def test_tracked_runs_with_hostile_configs_are_read_and_compared_as_data(
    trap: Path, ask: Ask, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    store = Store(TrackingSettings(uri))
    made = experiment()
    result = made.run()
    record = descent_record(made, result)
    opened = []
    for content in [None, *CONFIGS.values()]:
        artifacts = dict(record.artifacts)
        if content is not None:
            artifacts["config.yaml"] = content
        pending = store.prepare(RunHeader("hostile", "run"))
        opened.append((pending, replace(record, artifacts=artifacts)))
    store.write(opened)
    ids = [pending.run_id for pending, _ in opened]
    runs = load_runs(ids, uri=uri)
    assert [run.run_id for run in runs] == ids
    assert runs[0].experiment().signature == made.signature
    for run in runs[1:]:
        with pytest.raises((BadInput, UnreadableRun)):
            run.experiment()
        assert run.f_star == 0.0  # as the recorded numbers say, since no problem can be built
        assert run.iterations_to() == result.iterations
    listed = f"[{','.join(ids)}]"
    said = ask(f"+compare={listed}", f"tracking.uri={uri}")
    assert said.raw.replace("\n", "").isprintable()
