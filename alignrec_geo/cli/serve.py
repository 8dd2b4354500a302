"""``alignrec-geo serve``: a run over HTTP, with a page."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.index import IndexOption
from alignrec_geo.cli.output import stderr, stdout
from alignrec_geo.errors import InputError


def serve(
    run: Annotated[Path, typer.Argument(help="Run folder (made by 'train'), or a folder of saved tables.")],
    host: Annotated[str, typer.Option("--host", help="Address to listen at; 0.0.0.0 for all of this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", help="Port; 0 for any that is free.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that answer.")] = 1,
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", "--data", help="The data set of the run with its images, if it was moved."),
    ] = None,
    index: IndexOption = "exact",
    max_k: Annotated[int, typer.Option("--max-k", help="Largest k of a request.")] = 200,
    max_users: Annotated[int, typer.Option("--max-users", help="Most users of one request.")] = 1_000,
    max_body: Annotated[int, typer.Option("--max-body", help="Largest body of a request, bytes.")] = 4 << 20,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds after which a request is given up.")] = 30.0,
    threads: Annotated[int, typer.Option("--threads", help="Long requests at a time, in each worker.")] = 2,
    allow_reload: Annotated[
        bool, typer.Option("--allow-reload", help="Take POST /admin/reload from this machine; SIGHUP always works.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code (class paths) that the run folder names, to explain.")
    ] = False,
    device: DeviceOption = "cpu",
) -> None:
    """Answer over HTTP, with a page to look at: recommend, similar, explain, search.

    Example: alignrec-geo serve runs/quickstart, then open http://127.0.0.1:8000

    SIGHUP makes it serve what is at RUN by then, without a request lost; Ctrl-C or SIGTERM finishes what is under way.
    """
    from alignrec_geo.service.address import bound, is_loopback, url
    from alignrec_geo.service.settings import ServiceSettings, check_installed

    check_installed()
    settings = ServiceSettings(
        run=run,
        dataset=dataset,
        device=device,
        index=index,
        trust=trust,
        max_k=max_k,
        max_users=max_users,
        max_body=max_body,
        timeout=timeout,
        threads=threads,
        allow_reload=allow_reload,
    )
    if not run.is_dir():
        raise InputError(f"{run}: no such run folder")
    with bound(host, port) as listening:

        def ready() -> None:
            if not is_loopback(listening):
                stderr.print("note: everybody who reaches this address may ask; see docs/serving.md", soft_wrap=True)
            stdout.print(f"serving {run} at {url(listening)} (Ctrl-C ends)", soft_wrap=True)
            stdout.file.flush()

        if workers > 1:
            from alignrec_geo.service.workers import serve_with_workers

            serve_with_workers(settings, listening, ready, workers)
        else:
            from alignrec_geo.service.process import serve_here

            serve_here(settings, listening, ready)
