"""What a notebook shows of data sets, results and comparisons."""

from alignrec_geo import Evaluator, fit, make_catalogue
from alignrec_geo.models import BPRMF
from alignrec_geo.notebook import html_table, metrics_table


def test_tables_are_text():
    made = html_table([("<b>", 1, "x\x1b[2J")], ("a", "b & c", "d"), title="<i>")
    assert made == (
        "<b>&lt;i&gt;</b><table><tr><th>a</th><th>b &amp; c</th><th>d</th></tr>"
        "<tr><td>&lt;b&gt;</td><td>1</td><td>x\\x1b[2J</td></tr></table>"
    )
    assert "<th>name</th><td>mug</td>" in html_table([("name", "mug")])
    assert metrics_table({"recall@5": 0.5, "mrr@10": 0.25}).count("–") == 2


def test_a_data_set_is_five_lines_and_a_table():
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    assert len(repr(data).splitlines()) == 5
    assert repr(data).startswith("Dataset('catalogue': 60 users, 40 items, ")
    assert data._repr_html_().count("<tr>") == 4


def test_results_are_short_and_tables():
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    model = BPRMF.from_dataset(data, config={"dim": 4})
    result = fit(model, config={"epochs": 2})
    assert len(repr(result)) < 120
    assert repr(result).startswith("FitResult({'recall@20': ")
    assert "<th>@20</th>" in result._repr_html_()
    assert "recall" in Evaluator(data, "test", cutoffs=3)(model.embeddings())._repr_html_()
