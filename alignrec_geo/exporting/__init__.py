"""A trained run as files of other systems: Parquet, faiss, ONNX, torch.export."""

from alignrec_geo.exporting.export import FORMATS, ExportOptions, export_run

__all__ = ["FORMATS", "ExportOptions", "export_run"]
