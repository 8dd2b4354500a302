"""The diagrams of the documentation: the two stages, the parts of the package, the content encoder."""

from pages.boxes import Box, Diagram, Sheet

PHONE = 340
"""Pixels of a diagram's width on a phone."""


def pipeline() -> Diagram:
    """From a table to scores in two stages."""
    steps = (
        ("Your data", ("interactions;", "texts, images, vectors"), ""),
        ("Stage 1 (optional)", ("one aligned vector", "per item"), "accent"),
        ("Stage 2", ("training on the graph", "of users and items"), "accent"),
        ("Two tables", ("users [U, D], items [I, D]", "score: dot product"), ""),
    )
    wide = Sheet(880, 128)
    for number, (title, lines, kind) in enumerate(steps):
        box = wide.box(Box(4 + 222 * number, 4, 202 if number == 3 else 188, 76, title, lines, kind))
        if number:
            wide.arrow((box.x - 34, 42), (box.x, 42))
    wide.arrow((98, 80), (98, 112), (542, 112), (542, 80), dashed=True)
    wide.text(320, 106, "interactions; plain vectors without stage 1", "soft", 12)
    narrow = Sheet(PHONE, 424)
    for number, (title, lines, kind) in enumerate(steps):
        box = narrow.box(Box(4, 4 + 112 * number, 272, 76, title, lines, kind))
        if number:
            narrow.arrow((140, box.y - 36), (140, box.y))
    narrow.arrow((276, 42), (312, 42), (312, 266), (276, 266), dashed=True)
    narrow.text(268, 108, "interactions", "soft", 12, "end")
    says = (
        "Your data, that is interactions, texts, images or vectors, go to stage 1, which is optional and gives "
        "one aligned vector per item, and to stage 2, which trains on the graph of users and items and gives two "
        "tables whose dot products are the scores."
    )
    return Diagram("From a table to recommendations", says, wide, narrow)


def architecture() -> Diagram:
    """The parts of the package, and what passes between them."""
    main = (
        ("dataset", ("the data set folder: tables, splits,", "features/NAME.safetensors"), ""),
        ("graph", ("HeteroData: user – interacts – item,", "item – similar – item"), ""),
        ("models", ("encode() → users [U, D], items [I, D]", "loss(batch) → {bpr: …, cca: …}"), "accent"),
        ("training", ("triplets, early stopping on validation,", "checkpoints"), "accent"),
        ("run folder", ("settings, metrics, checkpoint,", "both tables with their ids"), ""),
    )
    ends = (
        ("evaluation", "one ranking pass, all metrics"),
        ("serving", "recommend, similar, new items"),
        ("reporting", "tables, charts, report.html"),
    )
    wide = Sheet(880, 640)
    wide.box(Box(80, 4, 300, 44, "interactions table"))
    texts = wide.box(Box(510, 4, 300, 44, "titles, texts, images, vectors"))
    for number, (title, lines, kind) in enumerate(main):
        y = 84 + 96 * number
        wide.box(Box(80, y, 300, 64, title, lines, kind))
        wide.arrow((230, y - (36 if number == 0 else 32)), (230, y))
    stage = wide.box(
        Box(510, 84, 300, 64, "content", ("stage 1: encoders, mask-then-predict,", "aligned vectors"), "accent")
    )
    wide.arrow((texts.middle[0], 48), (texts.middle[0], stage.y))
    wide.arrow((stage.x, 116), (380, 116))
    wide.text(445, 108, "vectors", "soft", 12)
    parts = wide.box(
        Box(510, 276, 300, 64, "nn and kernels", ("layers, fusions, losses;", "spmm, gather, infonce, topk"))
    )
    wide.arrow((parts.x, 308), (380, 308))
    wide.text(445, 300, "parts", "soft", 12)
    many = wide.box(Box(510, 468, 300, 64, "comparison", ("many runs on equal terms,", "searched settings, tests")))
    wide.arrow((380, 500), (many.x, 500))
    wide.arrow((230, 532), (230, 576))
    for number, (title, line) in enumerate(ends):
        box = wide.box(Box(20 + 285 * number, 576, 270, 56, title, (line,)))
        if number:
            wide.arrow((230, 554), (box.middle[0], 554), (box.middle[0], 576))
    stack: list[tuple[str, tuple[str, ...], str]] = [
        ("your data", ("interactions; texts, images, vectors",), ""),
        ("content", ("stage 1: one aligned vector per item",), "accent"),
        *main,
        *((title, (line,), "") for title, line in ends),
        ("comparison", ("many runs on equal terms",), ""),
    ]
    narrow = Sheet(PHONE, 0)
    top = 4.0
    for number, (title, under, kind) in enumerate(stack):
        first_end = len(main) + 2
        if 0 < number <= first_end:
            narrow.arrow((PHONE / 2, top), (PHONE / 2, top + 26))
            top += 26
        elif number:
            top += 8
        high = 30 + 17 * len(under)
        narrow.box(Box(8, top, PHONE - 16, high, title, under, kind))
        top += high
    narrow.height = top + 4
    says = (
        "An interactions table and, through the content encoder of stage 1, titles, texts, images and vectors "
        "become a data set folder; of it come the graph, the models, which use layers and kernels, training, and "
        "a run folder, which evaluation, serving, reporting and comparison read."
    )
    return Diagram("The parts of the package", says, wide, narrow)


def stage_one() -> Diagram:
    """Mask-then-predict over an item's image and text."""
    outputs = (("first token", "the item's vector"), ("patches", "which code or pixels?"), ("words", "which word?"))
    wide = Sheet(880, 200)
    wide.text(64, 70, "image → patches", "soft", 12, "start")
    wide.text(260, 70, "text → words", "soft", 12, "start")
    _sequence(wide, 20, 83, 34)
    _note(wide, 20, 142)
    block = wide.box(
        Box(474, 4, 176, 192, "L × block", ("attention over all;", "expert A: patches", "expert B: words"), "accent")
    )
    wide.arrow((424, 100), (block.x, 100))
    for number, (title, line) in enumerate(outputs):
        box = wide.box(Box(696, 4 + 68 * number, 180, 56, title, (line,)))
        wide.arrow((block.x + block.width, box.middle[1]), (box.x, box.middle[1]))
    narrow = Sheet(PHONE, 440)
    narrow.text(4, 18, "image → patches", "soft", 12, "start")
    narrow.text(200, 18, "text → words", "soft", 12, "start")
    _sequence(narrow, 4, 34, 23)
    _note(narrow, 4, 84)
    narrow.arrow((170, 96), (170, 128))
    block = narrow.box(
        Box(40, 128, 260, 92, "L × block", ("attention over all;", "expert A: patches; expert B: words"), "accent")
    )
    for number, (title, line) in enumerate(outputs):
        y = 254 + 62 * number
        narrow.box(Box(40, y, 260, 52, title, (line,)))
    narrow.arrow((170, 220), (170, 254))
    says = (
        "Patches of the image and words of the text form one sequence behind a first token; some are hidden. A "
        "transformer attends over all of it, with one expert for patches and one for words; it predicts what was "
        "hidden, and the first token's state is the item's vector."
    )
    return Diagram("Stage 1: mask, then predict", says, wide, narrow)


def _sequence(sheet: Sheet, x: float, y: float, side: float) -> None:
    x = sheet.cells(x, y, side, "C", "series-3")
    x = sheet.cells(x + 6, y, side, "vv??v", "series-1")
    sheet.cells(x + 6, y, side, "ww?w", "series-2")


def _note(sheet: Sheet, x: float, y: float) -> None:
    sheet.text(x, y, "one sequence: first token, patches, words; ? is hidden", "soft", 12, "start")
