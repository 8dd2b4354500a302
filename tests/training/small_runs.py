"""A small model, and callbacks and files to look at its training with."""

import json

import torch.nn.functional as F
from torch_geometric.nn import LGConv

from alignrec_geo.models import AlignRec
from alignrec_geo.observer import Observer


class DroppingConv(LGConv):
    def forward(self, x, edge_index, edge_weight=None):
        return super().forward(F.dropout(x, 0.3, self.training), edge_index, edge_weight)


def model_for(data, seed=0, **config) -> AlignRec:
    return AlignRec.from_dataset(data, config={"dim": 16, **config}, seed=seed)


class Records(Observer):
    def __init__(self):
        self.epochs, self.steps, self.records = [], 0, []

    def epoch_started(self, epoch, steps):
        self.epochs.append((epoch, steps))

    def step_done(self, terms):
        self.steps += 1

    def epoch_done(self, record):
        self.records.append(record)


def lines(run) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def without_seconds(records) -> list[dict]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]
