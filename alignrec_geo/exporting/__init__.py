"""A trained run as files of other systems: Parquet, faiss, ONNX, torch.export."""

from alignrec_geo.exporting.export import ExportOptions, export_run

__all__ = ["ExportOptions", "export_run"]
