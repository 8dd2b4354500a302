"""Names of the files in a run folder."""

CONFIG = "config.yaml"
METRICS_FILE = "metrics.jsonl"
RESULT = "result.json"
PER_USER = "per_user.parquet"
TRACKING = "tracking.json"
