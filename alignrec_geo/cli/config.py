"""``alignrec-geo config``: every setting of a model, as a file to begin from."""

from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json


def config(
    model: Annotated[str, typer.Argument(help="Model: alignrec, lightgcn, …")] = "alignrec",
    as_json: JsonFlag = False,
) -> None:
    """Print every setting of a model with its default and what it does: a file for 'train --config'.

    Example: alignrec-geo config alignrec > settings.yaml

    Lines may be deleted: what the file does not name has its default.
    """
    from alignrec_geo.training.template import config_template, model_settings

    if not as_json:
        typer.echo(config_template(model), nl=False)
        return
    settings = [
        {**line._asdict(), "name": ".".join(filter(None, (section, line.name))), "tried": list(tried)}
        for section, lines in model_settings(model).items()
        for line, tried in lines
    ]
    print_json({"model": model, "settings": settings})
