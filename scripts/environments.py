"""Run the quick tests with the lowest or the newest versions that pyproject.toml allows.

    python scripts/environments.py lowest [arguments of pytest]

The environment is .venv-lowest or .venv-newest. It is made when it is missing, and brought up to
date when it is there. When something breaks, the versions that differ from constraints.txt are
printed, and each failed test with the library that raised. torch keeps the version of
constraints.txt; GDEXP_TORCH=2.14.0 chooses another.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

PROJECT = Path(__file__).resolve().parent.parent
QUICK = "not slow and not browser and not slurm and not ray and not server"
SOURCE_ONLY = "antlr4-python3-runtime"
"""The one dependency (of omegaconf) that has no wheel."""


def normal(name: str) -> str:
    """Return a distribution's name as PEP 503 writes it: lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lower_bounds(pyproject: Mapping[str, object], extra: str) -> dict[str, str]:
    """Return the lowest allowed version of each dependency, those of one extra included.

    Raises:
        ValueError: a requirement has no lower bound.
    """
    project = pyproject["project"]
    assert isinstance(project, dict)
    requirements = [*project["dependencies"], *project["optional-dependencies"][extra]]
    bounds: dict[str, str] = {}
    for requirement in requirements:
        found = re.match(r"([\w.-]+)\s*(?:\[[^]]*\])?[^;]*?>=\s*([\w.]+)", requirement)
        if not found:
            raise ValueError(f"{requirement!r} has no lower bound")
        bounds[normal(found[1])] = found[2]
    return bounds


def pinned(constraints: str) -> dict[str, str]:
    """Return the versions of a constraints file, by name."""
    lines = (line.partition("#")[0].strip().partition("==") for line in constraints.splitlines())
    return {normal(name): version for name, _, version in lines if version}


def constraints(
    choice: str, pyproject: Mapping[str, object], tested: Mapping[str, str], torch: str | None
) -> list[str]:
    """Return the lines of pip's constraints file for one environment.

    Args:
        choice: lowest or newest.
        pyproject: the contents of pyproject.toml.
        tested: the versions of constraints.txt, by name.
        torch: a version of torch in place of the tested one.
    """
    versions = lower_bounds(pyproject, "dev") if choice == "lowest" else {}
    versions["torch"] = torch or tested["torch"]
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def differences(installed: Mapping[str, str], tested: Mapping[str, str]) -> list[str]:
    """Return one line for each installed version that is not the tested one."""
    return [
        f"{name} {version} (tested: {tested.get(name, 'not at all')})"
        for name, version in sorted(installed.items())
        if version.partition("+")[0] != tested.get(name) and name not in ("gdexp", "pip")
    ]


def failures(report: ElementTree.Element, libraries: Iterable[str]) -> list[str]:
    """Return one line for each failed test: its name, the library that raised, and the error.

    Args:
        report: the root of pytest's JUnit file.
        libraries: the names of the folders in site-packages that count as libraries.
    """
    known = set(libraries)
    lines = []
    for case in report.iter("testcase"):
        for problem in (*case.iter("failure"), *case.iter("error")):
            passed = re.findall(r"site-packages/([^/\s:]+)", problem.text or "")
            raised = next((name for name in reversed(passed) if name in known), "gdexp")
            message = (problem.get("message") or "").partition("\n")[0]
            lines.append(f"{case.get('classname')}::{case.get('name')}: {raised}: {message}")
    return lines


def install(choice: str, folder: Path, tested: Mapping[str, str]) -> Path:
    """Make or update the environment in a folder; return its Python.

    Raises:
        CalledProcessError: venv or pip failed, and has said why.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = constraints(choice, pyproject, tested, os.environ.get("GDEXP_TORCH"))
    file = folder / "constraints.txt"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    command += ["--only-binary", ":all:", "--no-binary", SOURCE_ONLY, "--constraint", file]
    command += ["--upgrade", "--upgrade-strategy", "eager", "--editable", f"{PROJECT}[dev]"]
    subprocess.run(command, check=True)
    return python


def installed_versions(python: Path) -> dict[str, str]:
    """Return the versions that are installed in an environment, by name."""
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "list",
        "--format",
        "json",
        "--disable-pip-version-check",
    ]
    listed = subprocess.run(command, check=True, capture_output=True).stdout
    return {normal(each["name"]): each["version"] for each in json.loads(listed)}


def run_tests(python: Path, folder: Path, arguments: list[str]) -> tuple[int, list[str]]:
    """Run pytest; return its exit status and one line for each failed test."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    usual = ["-m", QUICK, "--numprocesses", "logical", "--maxprocesses", "4", "--dist", "loadfile"]
    command: list[str | Path] = [python, "-m", "pytest", f"--junitxml={report}", *usual, *arguments]
    status = subprocess.run(command, cwd=PROJECT, check=False).returncode
    libraries = [each.name for each in folder.glob("lib/python*/site-packages/*") if each.is_dir()]
    runners = {"_pytest", "pluggy", "xdist", "execnet"}
    root = ElementTree.parse(report).getroot() if report.exists() else ElementTree.Element("none")
    return status, failures(root, set(libraries) - runners)


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status, which is that of pip or of pytest."""
    choice, *rest = arguments or [""]
    if choice not in ("lowest", "newest"):
        print(__doc__, file=sys.stderr)
        return 2
    tested = pinned((PROJECT / "scripts" / "constraints.txt").read_text(encoding="utf-8"))
    folder = PROJECT / f".venv-{choice}"
    print(f"gdexp: setting up {folder.name} (a few minutes when it is new)", file=sys.stderr)
    try:
        python = install(choice, folder, tested)
    except subprocess.CalledProcessError as error:
        print(f"gdexp: error: {folder.name} could not be installed", file=sys.stderr)
        return error.returncode
    status, broken = run_tests(python, folder, rest)
    if status:
        print(f"\n{choice}: versions that differ from constraints.txt")
        print("\n".join(f"  {line}" for line in differences(installed_versions(python), tested)))
        print(f"{choice}: failed tests, with the library that raised")
        print("\n".join(f"  {line}" for line in broken) or "  pytest did not run them")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
