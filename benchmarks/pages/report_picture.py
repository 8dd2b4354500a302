"""Draw the README's pictures of a report, one light and one dark, from a run of the quickstart.

    alignrec-geo quickstart --out runs/quickstart
    python benchmarks report_picture runs/quickstart/alignrec_aligned/report.html

The page is opened in Chromium (Debian's ``chromium``, driven by Playwright). What is drawn is an excerpt, and the
README says so: the tiles, the validation curve, and the user of medium history with the recommended items.
"""

import io
import shutil
from pathlib import Path
from typing import Annotated, Literal

import typer
from harness.machine import RESULTS
from harness.program import run_program
from PIL import Image

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path

IMAGES = RESULTS.parents[1] / "docs" / "images"
WIDTH, SCALE, COLOURS = 1280, 1.25, 200
PICTURES: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", "report.png"), ("dark", "report-dark.png"))
EXCERPT = """() => {
  document.querySelectorAll("body > footer, nav, main > :not(.person, .chart), .person:not(:nth-of-type(2))")
    .forEach((element) => element.remove());
  document.querySelectorAll("main > .chart ~ .chart").forEach((element) => element.remove());
  document.body.style.paddingBottom = "1.5rem";
}"""


def main(
    report: Annotated[Path, typer.Argument(help="report.html of a run.")],
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = IMAGES,
) -> None:
    """Write ``report.png`` and ``report-dark.png``."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError("pictures need Playwright: pip install playwright") from None
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not report.is_file():
        raise InputError("no Chromium is installed" if chromium is None else f"{report}: no such file")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme, name in PICTURES:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 600}, color_scheme=scheme, device_scale_factor=SCALE
            )
            page.goto(report.resolve().as_uri())
            page.evaluate(EXCERPT)
            content = small(page.screenshot(full_page=True))
            with atomic_path(out / name) as staging:
                staging.write_bytes(content)
            print(out / name, f"{len(content) / 1000:.0f} kB")
        browser.close()


def small(picture: bytes) -> bytes:
    """A PNG with few colours, which flat pages have anyway."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        stream, format="PNG", optimize=True
    )
    return stream.getvalue()


if __name__ == "__main__":
    run_program(main)
