"""What training on sampled subgraphs can do, said before anything is read or started."""

from alignrec_geo.distributed.row_table import require_torchrec
from alignrec_geo.errors import InputError
from alignrec_geo.models.base import ModelConfig, Recommender
from alignrec_geo.models.lightgcn import LightGCN
from alignrec_geo.models.registry import find_model, model_name
from alignrec_geo.training.config import TrainingConfig

ALONE = ("alignrec", "lightgcn")
"""Models that one process trains so."""


def check_sampled(
    kind: type[Recommender], config: ModelConfig, settings: TrainingConfig, ranks: int, content: bool
) -> None:
    """Refuse what cannot be trained on sampled subgraphs; settings without ``num_neighbors`` are not looked at.

    Args:
        kind: the model.
        config: its settings.
        settings: those of the training loop.
        ranks: how many are to train it.
        content: whether it has features.

    Raises:
        InputError: the model, one of its settings, the device, or a package that is missing.
    """
    if settings.num_neighbors is None:
        return
    asked = f"num_neighbors={list(settings.num_neighbors)}"
    if kind not in [find_model(name) for name in ALONE]:
        raise InputError(
            f"model '{model_name(kind)}' is trained on the whole graph; on sampled subgraphs ({asked}) "
            f"{' and '.join(ALONE)} can be"
        )
    if ranks > 1 and kind is not LightGCN:
        raise InputError(
            f"model '{model_name(kind)}' is trained on sampled subgraphs ({asked}) by one process; several ranks can "
            "train lightgcn so, and this model on the whole graph"
        )
    if isinstance(getattr(config, "user_item_conv", None), dict):
        raise InputError(f"layers per edge type are trained on the whole graph; leave {asked} out")
    if settings.compile:
        raise InputError(f"the loss is not compiled on sampled subgraphs; leave 'training.compile' or {asked} out")
    if settings.torch_device().type != "cpu":
        raise InputError(
            f"sampled subgraphs ({asked}) are drawn and trained on the CPU; set device=cpu (got '{settings.device}')"
        )
    if (parts := settings.subgraphs or ranks) % ranks:
        raise InputError(
            f"the {parts} subgraphs of a batch cannot be dealt evenly to {ranks} ranks; set subgraphs to a multiple, "
            f"such as {parts // ranks * ranks + ranks}"
        )
    from alignrec_geo.models.on_subgraph import check_hops, hops_of
    from alignrec_geo.training.subgraphs import require_sampling

    check_hops(hops_of(config, content), len(settings.num_neighbors))  # type: ignore[arg-type]
    require_sampling()
    if ranks > 1:
        require_torchrec()


def with_subgraphs(settings: TrainingConfig, ranks: int) -> TrainingConfig:
    """The settings with the number of subgraphs that a run begins with, so that it goes on with it on other ranks."""
    if settings.num_neighbors is None or settings.subgraphs is not None:
        return settings
    return settings.model_copy(update={"subgraphs": ranks})
