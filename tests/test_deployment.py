"""The Dockerfile and the workflows: their commands are those of the project, though no engine runs them here."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer
import yaml

from alignrec_geo.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
TORCH = re.search(r'TORCH="(torch==[^"]+)"', (ROOT / "README.md").read_text())[1]


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile, lines that are continued joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def copied() -> list[str]:
    """What the Dockerfile takes from the checkout."""
    copies = [shlex.split(rest) for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    return [source for parts in copies for source in parts[:-1]]


def workflows() -> list[dict]:
    return [yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))]


def commands(workflow: dict) -> list[str]:
    """Every command of a workflow, those of matrices put in their place."""
    found = []
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        choices = [*matrix.get("command", []), *(row["command"] for row in matrix.get("include", []))]
        for step in job["steps"]:
            run = step.get("run", "")
            found += choices if run == "${{ matrix.command }}" else run.splitlines()
    assert not [command for command in found if "${{" in command]
    return found


def targets(lines: list[str]) -> set[str]:
    return {line.split()[1] for line in lines if line.startswith("make ")}


def test_what_is_copied_is_there_and_not_ignored():
    ignore, *kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignore == "*"
    allowed = [line.removeprefix("!") for line in kept if line.startswith("!")]
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) for pattern in allowed), source
    assert set(allowed) == set(copied())  # nothing else is sent to the engine


def test_torch_is_the_one_of_readme_makefile_and_documentation():
    (line,) = [rest for name, rest in instructions() if name == "RUN" and "torch" in rest]
    assert line == f"pip install {TORCH}"
    assert f"$ {line}" in (ROOT / "docs" / "quick-tour.md").read_text()
    version = TORCH.split()[0]
    assert f"TORCH ?= {version}\n" in MAKEFILE
    assert version in (ROOT / "constraints.txt").read_text().split()
    assert [workflow["env"]["TORCH"] for workflow in workflows()] == [TORCH]


def test_packages_are_pinned_and_extras_exist():
    (line,) = [rest for name, rest in instructions() if name == "RUN" and "-c constraints.txt" in rest]
    assert line.endswith('pip install -c constraints.txt ".[${EXTRAS}]"')
    (extras,) = [rest.removeprefix("EXTRAS=") for name, rest in instructions() if rest.startswith("EXTRAS=")]
    known = PROJECT["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(known)
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    for extra in extras.split(","):
        for needed in known[extra]:
            assert re.match(r"[\w-]+", needed)[0].lower().replace("_", "-") in pinned, needed


def test_it_runs_the_program_as_nobody_in_particular():
    last = dict(instructions())  # of the last stage, the later ones win
    assert last["USER"] not in ("root", "0")
    assert last["ENTRYPOINT"] == '["alignrec-geo"]'
    assert "alignrec-geo" in PROJECT["project"]["scripts"]
    names = [name for name, _ in instructions()]
    assert names.count("FROM") == 2
    assert names.index("USER") > len(names) - names[::-1].index("FROM") - 1


def test_verbs_and_options_in_commands_exist():
    group = typer.main.get_command(app)
    comments = re.findall(r"^#\s+docker run .*? alignrec-geo (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    runs = [
        re.sub(r"^docker run --rm alignrec-geo ", "", line) for line in commands(workflows()[0]) if "docker run" in line
    ]
    assert len(comments) == 2
    assert len(runs) == 2
    for line in [*comments, *runs]:
        verb, *rest = line.split()
        if verb == "serve" and verb not in group.commands:
            continue  # comes with the service
        options = {option for parameter in group.commands[verb].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, line


def test_workflows_call_what_ci_run_calls():
    ours = targets((ROOT / ".ci" / "run").read_text().splitlines())
    assert ours
    theirs = {target for workflow in workflows() for target in targets(commands(workflow))}
    assert ours <= theirs
    rules = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    assert theirs <= rules


def test_workflows_may_read_only():
    for workflow in workflows():
        assert workflow["permissions"] == {"contents": "read"}
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 120
            assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


def build(folder: Path) -> set[str]:
    """Build the package from a folder, and return the files of the wheel."""
    line = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", "wheel", "."]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.mark.slow  # builds the package twice
def test_both_steps_of_the_image_build_the_package(tmp_path):
    for source in copied():
        if (ROOT / source).is_file():
            shutil.copy(ROOT / source, tmp_path / source)
    (tmp_path / "alignrec_geo").mkdir()
    (tmp_path / "alignrec_geo" / "__init__.py").touch()
    assert "alignrec_geo/__init__.py" in build(tmp_path)  # the layer of the packages
    shutil.rmtree(tmp_path / "wheel")
    shutil.rmtree(tmp_path / "build", ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for source in ("datasets", "alignrec_geo"):
        shutil.copytree(ROOT / source, tmp_path / source, ignore=ignore, dirs_exist_ok=True)
    files = build(tmp_path)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "alignrec_geo").rglob("*.py")}
    assert modules <= files
    assert [name for name in files if name.endswith("share/alignrec_geo/datasets/ml-100k/recipe.toml")]
