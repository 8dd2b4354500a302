"""The card of a shared folder: ``README.md`` with front matter, of which ``push`` writes its own part only."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from alignrec_geo.dataset.manifest import MANIFEST, Manifest, read_manifest
from alignrec_geo.errors import InputError
from alignrec_geo.plain import printable
from alignrec_geo.records import RunResult, read_record
from alignrec_geo.reporting.run_words import how_chosen
from alignrec_geo.settings import read_yaml
from alignrec_geo.sharing.kinds import DATA, FEATURES, RUN
from alignrec_geo.sharing.manifest import SHARED
from alignrec_geo.sharing.package import Package
from alignrec_geo.training.run_files import CONFIG, RESULT
from alignrec_geo.yaml_text import parse_yaml

START, END = "<!-- made by alignrec-geo push; write above or below -->", "<!-- end of what alignrec-geo push made -->"
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_OURS = re.compile(rf"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)


def card(package: Package, address: str, existing: str | None = None, license: str | None = None) -> str:
    """Write the card, or bring the one that is there up to date.

    What people wrote stays: their text around our part, the keys of the front matter that are not ours, their tags.

    Args:
        package: what is sent.
        address: where to, as ``pull`` takes it.
        existing: the card that is there.
        license: SPDX name; the one that is there stays if not given.

    Raises:
        InputError: the front matter of the card that is there is no YAML mapping.
    """
    part = "\n".join([START, "", *_part(package, address), "", END])
    front, body = _parts(existing or "", address)
    ours = _front_matter(package)
    tags = front.get("tags") or []
    tags = [tags] if isinstance(tags, str) else list(tags)
    merged = {**front, **ours, "tags": list(dict.fromkeys([*tags, *ours["tags"]]))}
    if license is not None:
        merged["license"] = license
    if not existing:
        body = f"\n# {_plain(package.shared.name)}\n\n{part}\n"
    elif _OURS.search(body):
        body = _OURS.sub(lambda _: part, body, count=1)
    else:
        body = f"{body.rstrip()}\n\n{part}\n"
    return f"---\n{yaml.safe_dump(merged, sort_keys=False, allow_unicode=True)}---\n{body}"


def _parts(text: str, address: str) -> tuple[dict[str, Any], str]:
    """Front matter and body of a card."""
    found = _FRONT.match(text.removeprefix("\ufeff"))
    if found is None:
        return {}, text
    label = f"the card of {address}"
    front = parse_yaml(found[1], label)
    if front is not None and not isinstance(front, dict):
        raise InputError(f"{label}: its front matter holds no key: value pairs; mend it there")
    return front or {}, text.removeprefix("\ufeff")[found.end() :]


def _front_matter(package: Package) -> dict[str, Any]:
    tags = ["recommendation", "alignrec-geo"]
    if package.shared.kind != RUN:
        tables = ("interactions", "users", "items") if package.shared.kind == DATA else ("items",)
        return {
            "pretty_name": package.shared.name,
            "tags": tags + (["croissant"] if package.shared.kind == DATA else []),
            "configs": [{"config_name": table, "data_files": f"{table}.parquet"} for table in tables],
        }
    config, result, data = _run(package)
    tags += (
        [str(config["model"]), "graph-neural-network", "multimodal"] if config["features"] else [str(config["model"])]
    )
    made: dict[str, Any] = {"library_name": "alignrec-geo", "tags": tags}
    if result["metrics"]:
        metrics = [
            {"type": name, "value": round(value, 6), "name": f"{name}, {_split(result)}, protocol {config['protocol']}"}
            for name, value in result["metrics"].items()
        ]
        task = {"type": "recommendation", "name": "Top-N recommendation"}
        dataset = {"type": data.name, "name": data.name}
        made["model-index"] = [
            {"name": package.shared.name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}
        ]
    return made


def _part(package: Package, address: str) -> list[str]:
    kind, name = package.shared.kind, _plain(package.shared.name)
    lines = _of_run(package, address) if kind == RUN else _of_data(package, address, name)
    return [
        *lines,
        "",
        "## Files",
        "",
        f"{package.told}. `{SHARED}` has the SHA-256 of each, which `alignrec-geo pull` checks; all are safetensors, "
        "Parquet, JSON, YAML or images, none holds code.",
        "",
        "| file | bytes |",
        "|---|---|",
        *_file_rows(package),
    ]


def _file_rows(package: Package) -> list[str]:
    images = [file for path, file in package.shared.files.items() if path.startswith("images/")]
    rows = [
        f"| `{path}` | {file.bytes:,} |"
        for path, file in package.shared.files.items()
        if not path.startswith("images/")
    ]
    if images:
        rows.append(f"| `images/`: {len(images):,} files | {sum(file.bytes for file in images):,} |")
    return rows


def _of_run(package: Package, address: str) -> list[str]:
    config, result, data = _run(package)
    counts = data.counts
    content = ", ".join(map(_plain, config["features"] or [])) or "none"
    run = f"runs/{_word(package.shared.name)}"
    use = f"$ alignrec-geo recommend {run} --user ID" if package.users else f"$ alignrec-geo similar {run} --item ID"
    known = f"{counts['users']:,} users, {counts['items']:,} items" if package.users else f"{counts['items']:,} items"
    lines = [
        f"A `{_plain(config['model'])}` model of the data set {_plain(data.name)} ({known}), trained with "
        f"[alignrec-geo](https://arxiv.org/abs/2403.12384). Features: {content}. Seed {config['seed']}. "
        f"{how_chosen(result).capitalize()}.",
        "",
        "## Use",
        "",
        "```console",
        f"$ alignrec-geo pull {address} {run}",
        use,
        "```",
        "",
        "## Train it again",
        "",
        "```console",
        f"$ alignrec-geo train data/{_word(data.name)} --config {run}/config.yaml --out runs/again",
        "```",
    ]
    if not result["metrics"]:
        return [*lines, "", "Nothing was measured on a test split."]
    protocol = f"protocol {config['protocol']}"
    lines += ["", f"## Results ({protocol})", "", "| metric | test | validation |", "|---|---|---|"]
    for name, value in result["metrics"].items():
        other = result["validation"].get(name)
        lines.append(f"| {name} | {value:.4f} | {'–' if other is None else f'{other:.4f}'} |")
    return lines


def _of_data(package: Package, address: str, name: str) -> list[str]:
    matrices = [path for path in package.shared.files if path.startswith("features/")]
    folder = f"data/{_word(package.shared.name)}"
    if package.shared.kind == FEATURES:
        return [
            f"Vectors of the items of {name}, one matrix per file in `features/`; row r belongs to the r-th id of "
            "`items.parquet`. No users and no interactions.",
            "",
            "## Use",
            "",
            "Into a data set that has these items:",
            "",
            "```console",
            f"$ alignrec-geo pull {address} {folder}",
            "```",
            "",
            "The vectors come from images and texts that have owners of their own; check their terms, and those of the "
            "encoder, before passing them on.",
        ]
    manifest = read_manifest(package.files[MANIFEST].parent)
    counts = manifest.counts
    made = {key: _plain(value) for key, value in manifest.source.items()}
    return [
        f"{counts['interactions']:,} interactions of {counts['users']:,} users with {counts['items']:,} items; "
        f"{_rule(manifest)}: {counts['train']:,} train, {counts['validation']:,} validation, "
        f"{counts['test']:,} test. {len(matrices)} feature matrices. Source: "
        f"{'; '.join(f'{key}: {value}' for key, value in made.items()) or 'not stated'}.",
        "",
        "## Use",
        "",
        "```console",
        f"$ alignrec-geo pull {address} {folder}",
        f"$ alignrec-geo train {folder} --out runs/{_word(package.shared.name)}",
        "```",
        "",
        "`croissant.json` describes the tables for other loaders. The interactions are of people: mind what the terms "
        "of the source allow.",
    ]


def _run(package: Package) -> tuple[dict[str, Any], dict[str, Any], Manifest]:
    config = read_yaml(package.files[CONFIG])
    result = read_record(package.files[RESULT], RunResult)
    return config, result, read_manifest(package.files[f"dataset/{MANIFEST}"].parent)


def _split(result: Mapping[str, Any]) -> str:
    return str(result.get("split", "test"))


def _rule(manifest: Manifest) -> str:
    rule = manifest.split.rule
    return "split as given" if rule == "given" else f"split by rule {rule}"


def _plain(text: object) -> str:
    """A text of the data inside Markdown: no markup, no HTML."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!])", r"\\\1", printable(text))


def _word(text: str) -> str:
    """A name as a part of a command."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.") or "it"
