"""What a run on sampled subgraphs consists of."""

from typing import NamedTuple

from alignrec_geo.distributed import current
from alignrec_geo.models.lightgcn import LightGCN
from alignrec_geo.models.on_subgraph import SampledModel
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.sampled.graph import sampling_graph
from alignrec_geo.training.sampled.loss import SampledLoss
from alignrec_geo.training.sampled.parts import PartedSampler
from alignrec_geo.training.sampled.rows import RowTraining
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import SubgraphSampler


class SampledTraining(NamedTuple):
    """The batches of a run, their loss, and on several ranks the tables by rows."""

    sampler: PartedSampler
    loss: SampledLoss
    rows: RowTraining | None


def sampled_training(model: SampledModel, config: TrainingConfig, triplets: TripletSampler) -> SampledTraining:
    """Make what trains a model on sampled subgraphs; collective on several ranks.

    Args:
        model: what :func:`~alignrec_geo.training.sampled.check.check_sampled` lets through, on the CPU.
        config: of the training, with ``num_neighbors`` and ``subgraphs``.
        triplets: draws the triplets.

    Raises:
        InputError: a package is missing.
    """
    assert config.num_neighbors is not None
    assert config.subgraphs is not None
    group, rows = current(), None
    if group is not None:
        assert isinstance(model, LightGCN)
        rows = RowTraining(model, config, group)
    subgraphs = SubgraphSampler(sampling_graph(model), triplets, config.num_neighbors)
    loss = SampledLoss(model, None if rows is None else rows.table)
    return SampledTraining(PartedSampler(subgraphs, config.subgraphs), loss, rows)
