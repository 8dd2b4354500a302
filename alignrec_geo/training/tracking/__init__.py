"""Where a run is logged to beside its folder: TensorBoard, MLflow, Weights & Biases."""
