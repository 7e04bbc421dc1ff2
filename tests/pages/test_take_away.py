"""What every page lets go: each file is made in a thread of its own, whole and readable."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from hsa.figures import generate_files
from hsa.inference.transition import Observation
from tests.pages.test_generate import ended

ROOT = Path(__file__).parents[2]
HOSTILE = "</script><script>window.hacked=1</script> =cmd() $x$ The sea, and the captain; "

Taken = dict[str, Callable[[], bytes]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taken]:
    """By file name what the page's buttons would make."""
    from pages.ui import take_away

    found: Taken = {}
    monkeypatch.setattr(
        take_away.st, "download_button",
        lambda label, make, name, *_, **__: found.update({name: make}),
    )  # fmt: skip
    yield found


def visit(page: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception and not app.error
    return app


def made(offered: Taken) -> dict[str, pd.DataFrame | dict[str, np.ndarray] | str]:
    """Every file read back, made where no visitor is known."""
    found = {}
    with ThreadPoolExecutor(1) as elsewhere:
        for name, make in offered.items():
            content = elsewhere.submit(make).result()
            if name.endswith(".csv"):
                found[name] = pd.read_csv(io.BytesIO(content))
                assert len(found[name]), name
            elif name.endswith(".npz"):
                with np.load(io.BytesIO(content)) as arrays:
                    found[name] = dict(arrays)
            elif name.endswith(".html"):
                found[name] = content.decode()
                assert 'src="http' not in found[name], "it needs no network"
                assert "<script>window.hacked" not in found[name]
    return found


def test_explore_and_compare(offered: Taken) -> None:
    text = HOSTILE * 2
    visit("start", model="minilm", text=text, layer="1", head="4")
    grid = made(offered)
    assert set(grid) == {
        "heads.csv", "answers.csv", "heads.npz", "heads.html", "answers-layer1-head4.html",
    }  # fmt: skip
    shares = grid["answers.csv"].drop(columns=["layer", "head"])
    assert len(shares) == 72
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)
    offered.clear()
    app = visit("compare", model="minilm", text=text, layer="1", head="4", cell="20,9")
    head = made(offered)
    rows = head["minilm-layer1-head4-agreement-rows.csv"]
    means = head["minilm-layer1-head4-agreement.csv"].set_index("method")
    assert means.loc["HSA", "total_variation"] == pytest.approx(rows.hsa_total_variation.mean())
    for of in ("", "-mass"):
        assert "near tokens" in head[f"minilm-layer1-head4-query20{of}.html"]
    (shown,) = [table.value for table in app.dataframe if "method" in table.value]
    assert shown["method"].tolist() == means.index.tolist()


def test_generate(offered: Taken) -> None:
    app = visit("generate", text=HOSTILE, new="2")
    app.button(key="generate-write").click().run()
    ended(app)
    files = made(offered)
    tokens = files["next-tokens.npz"]
    assert len(tokens["tokens"]) == len(tokens["kl_nats"]) + 1 == len(tokens["ids"])
    means = files["next-token-means.csv"].set_index("part")
    assert means.loc["both", "kl_nats"] == pytest.approx(tokens["kl_nats"].mean(), rel=1e-5)
    assert files["next-tokens.csv"].kl_nats.tolist() == pytest.approx(tokens["kl_nats"].tolist())
    offered.clear()
    visit("generate", view="chat", new="1")
    beta = made(offered)
    assert set(beta) == {"beta.html", "beta.csv"} and beta["beta.csv"].beta.tolist() == [0] * 30


def test_turns_of_a_conversation() -> None:
    history = [
        Observation(torch.full((4,), 0.25), torch.full((4,), 0.1 * turn), 60 + turn, 0.01 * turn,
                    torch.tensor([float("nan"), 0.01, 0.02, 0.03]), f"<b>turn</b> {turn}, kept")
        for turn in (1, 2)
    ]  # fmt: skip
    table = pd.read_csv(io.BytesIO(generate_files.turns_csv(history)))
    with np.load(io.BytesIO(generate_files.turns_npz(history, 0.02))) as arrays:
        np.testing.assert_allclose(table.filter(like="beta_layer"), arrays["after"], rtol=1e-6)
        assert arrays["tried"].shape == arrays["layer_kl_nats"].shape == (2, 4)
        assert table.verdict.tolist() == arrays["verdict"].tolist() == [
            "<b>turn</b> 1, kept", "<b>turn</b> 2, kept",
        ]  # fmt: skip
    assert b"bound 0.02" in generate_files.turns_html(history, 0.02)


def test_the_film_of_an_adaptation(offered: Taken) -> None:
    visit("adapt", film="15,0", step="6")
    files = made(offered)
    (film,) = [file for name, file in files.items() if name.endswith(".npz")]
    (curves, events) = [file for name, file in files.items() if name.endswith(".csv")]
    np.testing.assert_allclose(curves.iloc[:, 2:].T, film["curves"], rtol=1e-6)
    assert len(film["step_names"]) == len(curves) == film["curves"].shape[1]
    assert film["evidence_mass"].shape == (len(curves), len(film["splat_id"]))
    kept = events[events.accepted & (events.kind == "mitosis")].iloc[0]
    assert set(map(int, kept.after.split())) <= set(film["splat_id"].tolist())


def test_what_splats_serve(offered: Taken) -> None:
    visit("functions", layer="8", head="3", function="comma")
    files = made(offered)
    head, served = files["smollm2-layer8-head3-functions.csv"], files["smollm2-comma.csv"]
    every = files["smollm2-functions.npz"]
    place = every["function_names"].tolist().index("comma")
    mine = (every["layer"] == 8) & (every["head"] == 1) & (every["function"] == place)
    counted = served[(served.layer == 8) & (served["head"] == 3)].splats.item()
    assert counted == mine.sum() == (head.serves == "holds commas").sum() > 0
    assert every["figures"].shape[1] == len(every["figure_names"])
    assert {"smollm2-comma.html", "smollm2-layer8-head3-functions.html"} <= set(files)


@pytest.mark.slow
def test_the_health_of_a_layer(offered: Taken) -> None:
    app = visit("health", model="minilm", layer="2", head="2")
    app.button(key="health-look").click().run()
    files = made(offered)
    flags, heads = files["minilm-layer2-flags.csv"], files["minilm-health.csv"]
    for name in ("dead", "over-opened"):
        assert (flags.flag == name).sum() == heads[name].sum()
    head = files["minilm-layer2-head2-health.npz"]
    assert head["query_head_error"].max() == pytest.approx(
        heads[heads["key/value head"] == 2].error.item()
    )
    splat = flags[flags["key/value head"] == 2].splat.iloc[0]
    assert splat in head["splat_id"]
