"""``alignrec-geo probe``: judge feature matrices before training on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.feature_report import ColourOption, MapOption, ReportOption, check_report, write_report
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr
from alignrec_geo.cli.progress_bars import progress_bars
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.probing.probe import ProbeRow


def probe(
    dataset: Annotated[Path, typer.Argument(help="Data set folder (made by 'data import').")],
    features: Annotated[
        str | None,
        typer.Option(help="What to compare, comma-separated; 'a+b' joins two; default every one alone."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split whose pairs are to be found.")] = "test",
    protocol: Annotated[str, typer.Option(help="Ranking protocol: clean or mmrec.")] = "clean",
    k: Annotated[int, typer.Option(min=1, help="Content neighbours per item.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the chance row.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the result as JSON to this file.")] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Also draw the table, as .svg or .png.")
    ] = None,
    report: ReportOption = None,
    colour: ColourOption = None,
    map_: MapOption = "pca",
    device: DeviceOption = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Compare features by zero-shot ranking, item-CF, and agreement with co-interactions; nothing is trained.

    Example: alignrec-geo probe data/ml-1m --features image,text,image+text,aligned-ml-1m --protocol mmrec

    Zero-shot: the cosine of an item to the mean of a user's items. Item-CF: a user's items vote for their most similar
    items. Agreement: the share of an item's content neighbours that the same people use. Each is given for the vectors
    as they are and with their mean subtracted. Only items that have all of the features take part. The third
    intermediate metric, what is lost without a modality, trains models: 'mask-modality'. The page of --report shows
    the neighbours of five items in each matrix as rows of images, and where the items lie on a plane.
    """
    say_data_set(dataset)
    from alignrec_geo.dataset.interactions import Split
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.device import choose_device
    from alignrec_geo.evaluation.protocols import Protocol
    from alignrec_geo.files import write_json
    from alignrec_geo.outputs import output_file
    from alignrec_geo.probing.probe import Probe

    if figure is not None and figure.suffix not in (".svg", ".png"):
        raise InputError(f"--figure takes a file that ends in .svg or .png (got '{figure}')")
    data = Dataset.open(dataset)
    own = DATA_SET.files(dataset)
    out, figure, report = (None if path is None else output_file(path, own) for path in (out, figure, report))
    contents = (
        data.feature_names if features is None else [part.strip() for part in features.split(",") if part.strip()]
    )
    if not contents:
        raise InputError(f"{dataset} has no feature matrices; make some with 'features extract'")
    if report is not None:
        check_report(data, colour, map_)
    trial = Probe(data, contents, Split.parse(split), Protocol.parse(protocol), k, seed, choose_device(device))
    with progress_bars() as bar:
        rows = trial.rows(bar("contents"))
    content: dict[str, Any] = {
        "rows": [_as_json(row) for row in rows],
        "items": len(trial.items),
        "users": len(trial.evaluator.users),
        "dataset": data.name,
        "split": trial.evaluator.split.label,
        "protocol": trial.evaluator.protocol.value,
        "k": k,
        "seed": seed,
    }
    if out is not None:
        write_json(out, content)
    if figure is not None:
        _draw(content["rows"], figure)
    header = ["content", "zero-shot R@20", "N@20", "item-CF R@20", "N@20", "agreement"]
    cells = [_as_cells(row) for row in rows]
    if report is not None:
        write_report(data, contents, report, (header, cells), content["rows"], colour, map_)
    if as_json:
        print_json(content)
        return
    title = f"{data.name}: {trial.evaluator.split.label}, protocol {trial.evaluator.protocol}, k = {k}"
    print_table(title, header, cells)
    stderr.print(f"{len(trial.items)} of {len(data.items)} items, {content['users']} users")


def _as_json(row: "ProbeRow") -> dict[str, object]:
    return {
        "content": row.content,
        "centred": row.centred,
        "zero_shot": row.zero_shot.metrics,
        "item_cf": None if row.item_cf is None else row.item_cf.metrics,
        "agreement": row.agreement,
    }


def _as_cells(row: "ProbeRow") -> list[str]:
    cells = [f"{row.content}, centred" if row.centred else row.content]
    for evaluation in (row.zero_shot, row.item_cf):
        for name in ("recall@20", "ndcg@20"):
            cells.append("–" if evaluation is None else f"{evaluation.metrics[name]:.4f}")
    return [*cells, "–" if row.agreement is None else f"{row.agreement:.3f}"]


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    from alignrec_geo.files import atomic_path
    from alignrec_geo.reporting.probe_chart import probe_chart

    drawn = probe_chart(rows)
    with atomic_path(path) as staging:
        staging.write_bytes(drawn.file().encode() if path.suffix == ".svg" else drawn.png())
