import pytest
import yaml

from alignrec_geo.comparison import compare, request
from alignrec_geo.comparison.plan import Plan, continue_plan
from alignrec_geo.dataset import Split, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.models import MODELS


def plan_for(data, models=("alignrec", "popularity"), **given):
    options = {
        "features": None,
        "protocol": "clean",
        "trials": 0,
        "seeds": 2,
        "settings": (),
        "reference": None,
        "threads": 1,
        "command": "compare",
    }
    return request.make_plan(data, models, **{**options, **given})


def test_every_model_of_the_package_can_take_part(catalogue):
    plan = plan_for(catalogue, ["all"], trials=3)
    assert list(plan.models) == list(MODELS)
    for name, model in plan.models.items():
        config = plan.config(name, 1, {path: axis[-1] for path, axis in model.search_space.items()})
        assert config.features == (["image", "text"] if MODELS[name].uses_features else [])
        defaults = plan.config(name, 1, {})
        assert plan.config(name, 1, {path: axis[0] for path, axis in model.search_space.items()}) == defaults


def test_settings_for_all_for_one_and_out_of_the_search(catalogue):
    plan = plan_for(catalogue, settings=["dim=16", "alignrec.cca_weight=0.5", "training.epochs=7", "lr=0.01"])
    alignrec, popularity = plan.models["alignrec"], plan.models["popularity"]
    assert (alignrec.parameters["dim"], alignrec.parameters["cca_weight"]) == (16, 0.5)
    assert alignrec.training["epochs"] == popularity.training["epochs"] == 7
    assert set(alignrec.search_space) == {"reg_weight", "uia_weight"}
    assert popularity.parameters == {}
    assert plan.reference == "alignrec"
    assert plan_for(catalogue, ["popularity"]).reference == "popularity"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"models": ["svd"]}, r"unknown model \(got 'svd'\)"),
        ({"models": []}, "no model given"),
        ({"features": ["audio"]}, "no features 'audio'; there are: image, text"),
        ({"protocol": "loo"}, r"unknown protocol \(got 'loo'\)"),
        ({"trials": -1}, r"trials must be at least 0 \(got -1\)"),
        ({"seeds": 0}, r"seeds must be at least 1 \(got 0\)"),
        ({"jobs": 0}, r"jobs must be at least 1 \(got 0\)"),
        ({"reference": "bpr"}, r"the reference must be one of the models compared \(got 'bpr'\)"),
        ({"settings": ["dim"]}, r"takes key=value or MODEL\.key=value \(got 'dim'\)"),
        ({"settings": ["cca=1"]}, "unknown setting 'cca': no model compared has it"),
        ({"settings": ["alignrec.cca=1"]}, "unknown setting 'cca' .*did you mean"),
        ({"settings": ["bpr.dim=8"]}, "'bpr' is not among the models compared: alignrec, popularity"),
        ({"settings": ["dim=0"]}, r"parameters\.dim: .*got 0"),
    ],
)
def test_what_is_refused_leaves_nothing(catalogue, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        compare(catalogue.path, tmp_path / "out", **{"models": ["alignrec", "popularity"], **given})
    assert list(tmp_path.iterdir()) == []


def test_folders_of_something_else(catalogue, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    for path, message in ((tmp_path / "mine", "thesis.tex"), (tmp_path / "mine" / "thesis.tex", "is a file")):
        with pytest.raises(InputError, match=message):
            compare(catalogue.path, path, ["popularity"])
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.tex"]


def test_without_optuna_trials_are_refused(catalogue, monkeypatch):
    monkeypatch.setattr(request, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="trials need Optuna"):
        plan_for(catalogue, trials=1)
    assert plan_for(catalogue).trials == 0


def test_data_that_cannot_be_compared_on(catalogue, tmp_path):
    data = make_catalogue(n_users=80, n_items=50, image_size=16)
    with pytest.raises(InputError, match="needs a data set folder"):
        plan_for(data)
    untested = type(data)(**{**vars(data), "interactions": data.interactions.of(Split.TRAIN, Split.VALIDATION)})
    with pytest.raises(InputError, match="test split has no user"):
        plan_for(untested.save(tmp_path / "untested"))


def test_a_plan_may_grow(catalogue, tmp_path):
    small, large = plan_for(catalogue, ["alignrec"]), plan_for(catalogue, trials=4, seeds=3, threads=2)
    small.save(tmp_path / "p.yaml")
    stored = Plan.load(tmp_path / "p.yaml")
    assert stored == small
    grown = continue_plan(stored, large, tmp_path)
    assert (grown.trials, grown.seeds, grown.threads, list(grown.models)) == (4, 3, 1, ["alignrec", "popularity"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 1}, r"planned with 2 seeds; more are fine, fewer not \(got 1\)"),
        ({"models": ["alignrec"]}, "compares 'popularity' too"),
        ({"protocol": "mmrec"}, "protocol was 'clean', now 'mmrec'"),
        ({"features": ["image"]}, r"features\.text was '\w+', now None"),
        ({"reference": "popularity"}, "reference was 'alignrec', now 'popularity'"),
        ({"settings": ["lr=0.5"]}, r"models\.alignrec\.training\.lr was 0\.001, now 0\.5"),
    ],
)
def test_another_plan_is_refused_naming_the_first_difference(catalogue, tmp_path, given, message):
    stored = plan_for(catalogue)
    with pytest.raises(InputError, match=message):
        continue_plan(stored, plan_for(catalogue, **given), tmp_path)


def test_a_damaged_plan(tmp_path):
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({"seeds": 3}))
    with pytest.raises(InputError, match=r"p\.yaml: command: Field required"):
        Plan.load(tmp_path / "p.yaml")
