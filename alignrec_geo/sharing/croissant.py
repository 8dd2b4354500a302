"""A Croissant description of a data set: what its files and columns are, as search engines and loaders read it.

`Croissant <https://docs.mlcommons.org/croissant/docs/croissant-spec.html>`_ is a vocabulary of MLCommons for data sets,
JSON-LD on top of schema.org.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.dataset.manifest import TABLES, Manifest, read_manifest
from alignrec_geo.files import sha256_of

SPECIFICATION = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FORMATS = {".parquet": "application/x-parquet", ".json": "application/json"}
_COLUMNS = {
    ("interactions", "user"): "Row of the user in users.parquet, counted from 0.",
    ("interactions", "item"): "Row of the item in items.parquet, counted from 0.",
    ("interactions", "split"): "0 train, 1 validation, 2 test, 3 history of held-out users, -1 in no split.",
    ("interactions", "timestamp"): "Time of the interaction; any unit that orders.",
    ("users", "id"): "Id of the user.",
    ("items", "id"): "Id of the item.",
    ("items", "image"): "Path of the item's image in the folder.",
}


def croissant_text(
    root: Path, files: Mapping[str, Path], license: str | None = None, url: str | None = None, prefix: str = ""
) -> str:
    """Describe a data set.

    Tables become record sets with a field per column; they and the feature matrices are listed with their SHA-256.

    Args:
        root: the data set folder; its tables are read for their columns.
        files: file of every path that is to be listed; images are not.
        license: SPDX name or address of the licence.
        url: page of the data set.
        prefix: what leads from the description to the files, where they are not beside it; ends in ``/``.

    Raises:
        InputError: no data set.
    """
    manifest = read_manifest(root)
    listed = [path for path in sorted(files) if path.endswith((".parquet", ".safetensors", "dataset.json"))]
    described: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": manifest.name,
        "description": _description(manifest),
        "conformsTo": SPECIFICATION,
        **({"license": license} if license else {}),
        **({"url": url} if url else {}),
        "distribution": [_file(path, files[path], prefix) for path in listed if "/" not in path or "features/" in path],
        "recordSet": [_record_set(table, files[f"{table}.parquet"]) for table in TABLES],
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _description(manifest: Manifest) -> str:
    counts = manifest.counts
    content = ", ".join(manifest.feature_names()) or "none"
    return (
        f"{counts['interactions']} interactions of {counts['users']} users with {counts['items']} items; split by rule "
        f"'{manifest.split.rule}'; feature matrices: {content}; {manifest.images} images. Written by alignrec-geo."
    )


def _file(path: str, file: Path, prefix: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": prefix + path,
        "contentSize": f"{file.stat().st_size} B",
        "encodingFormat": _FORMATS.get(file.suffix, "application/octet-stream"),
        "sha256": sha256_of(file),
    }


def _record_set(table: str, file: Path) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": table, "name": table, "field": list(_fields(table, file))}


def _fields(table: str, file: Path) -> Iterator[dict[str, Any]]:
    for column, dtype in pl.read_parquet_schema(file).items():
        listed = isinstance(dtype, pl.List | pl.Array)
        yield {
            "@type": "cr:Field",
            "@id": f"{table}/{column}",
            "name": column,
            "description": _COLUMNS.get((table, column), f"Column '{column}' of {table}.parquet."),
            "dataType": _data_type(dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype),
            **({"repeated": True} if listed else {}),
            "source": {"fileObject": {"@id": f"{table}.parquet"}, "extract": {"column": column}},
        }


def _data_type(dtype: Any) -> str:
    if dtype.is_integer():
        return "sc:Integer"
    if dtype.is_float() or dtype.is_decimal():
        return "sc:Float"
    if dtype == pl.Boolean:
        return "sc:Boolean"
    if dtype == pl.Date:
        return "sc:Date"
    return "sc:DateTime" if dtype == pl.Datetime else "sc:Text"
