"""``features describe``: what feature matrices are like, as a table and as a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.comparing import required_names
from alignrec_geo.cli.feature_report import ColourOption, MapOption, ReportOption, check_report, write_report
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.content.feature_sets.report import FeatureReport


def describe(
    path: Annotated[Path, typer.Argument(metavar="DATASET|FILE", help="Data set folder, or one feature file.")],
    features: Annotated[
        str | None, typer.Option("--features", help="Which, comma-separated; all if not given.")
    ] = None,
    report: ReportOption = None,
    colour: ColourOption = None,
    map_: MapOption = "pca",
    json_: JsonFlag = False,
) -> None:
    """Print shape, coverage, lengths, common share, repeated rows and origin of feature matrices.

    Example: alignrec-geo features describe data/ml-1m --features image,text,aligned --report features.html

    The page of --report shows what each matrix calls similar, as rows of images, and where the items lie on a plane.

    The common share is the part of the squared lengths that all vectors have in common. Near 100 % all cosines are
    alike: subtract the mean before comparing.
    """
    from alignrec_geo.dataset.store import Dataset

    if report is not None:
        report = _report_target(path, report)
        check_report(Dataset.open(path), colour, map_)
    reports = list(_reports(path, features))
    rows: dict[str, list[str]] = {}
    for found in reports:
        for label, value in _describe_rows(found):
            rows.setdefault(label, []).append(value)
    head, body = ("", *(r.name for r in reports)), [(key, *cells) for key, cells in rows.items()]
    if report is not None:
        names = [found.name for found in reports]
        write_report(Dataset.open(path), names, report, (head, body), (), colour, map_)
    if json_:
        print_json({"path": str(path), "features": [found.to_json() for found in reports]})
        return
    print_table(f"Features of {path}", head, body)
    for found in reports:
        for key, value in found.meta.items():
            stdout.print(f"{found.name}: {key}: {value}", soft_wrap=True)
    for warning in (warning for found in reports for warning in found.warnings):
        stderr.print(f"warning: {warning}", soft_wrap=True)


def _reports(path: Path, wanted: str | None) -> Iterator["FeatureReport"]:
    from alignrec_geo.content.feature_sets.report import feature_report
    from alignrec_geo.dataset.features import Features
    from alignrec_geo.dataset.store import Dataset

    if path.is_file():
        yield feature_report(Features.load(path), path)
        return
    opened = Dataset.open(path)
    names = opened.feature_names if wanted is None else required_names(wanted, "--features")
    if not names:
        raise InputError(f"{path} has no feature matrices; make some with 'features extract'")
    for name in names:
        yield feature_report(opened.features(name), path / "features" / f"{name}.safetensors")


def _report_target(path: Path, report: Path) -> Path:
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.outputs import output_file

    if path.is_file():
        raise InputError(
            f"--report takes a data set folder, whose items have titles and images (got the file '{path}')"
        )
    return output_file(report, DATA_SET.files(path))


def _describe_rows(found: "FeatureReport") -> Iterator[tuple[str, str]]:
    yield "items", f"{found.items:,}"
    yield "width", f"{found.width:,}"
    yield "with a vector", f"{found.present:,} ({found.present / max(found.items, 1):.1%})"
    for key, value in found.norms.items():
        yield f"length, {key}", f"{value:.4g}"
    yield "common share", f"{found.mean_share:.1%}"
    yield "items with a repeated vector", f"{found.repeated:,}"
    yield "different vectors", f"{found.distinct:,}"
    yield "SHA-256", f"{(found.sha256 or '')[:16]}…"
