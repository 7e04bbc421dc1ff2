"""The Adapt page without a browser: recorded film, texts refused, a short run, its field used."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from hsa.adaptation.replay import read_log, rebuilt
from pages.ui import adapt_recorded, adapt_texts, engine
from pages.ui.adapt_export import field_zip
from pages.ui.adapt_run import Run
from pages.ui.background import Job, Slots
from pages.ui.player import standalone_html
from tests.pages.test_start import address, said

if TYPE_CHECKING:
    from hsa.models.loaded import LoadedModel

ROOT = Path(__file__).parents[2]
SECONDS = 120
HOSTILE = '<img src=x onerror="window.hacked=1"> **bold** $x^2$'
TEXTS = [
    "The ship lay in the harbour, and the captain spoke with the mate of wind and water. " * 4,
    HOSTILE + " and the captain said that the sails were torn and had to be mended. " * 4,
    "A bill of sale was signed for the barrels, the rope, and the lamps below the deck. " * 4,
    "Whoever keeps the light keeps the coast, said the old man, and trimmed the wick. " * 4,
]
SHORT = {
    "preset": "quick", "tokens_per_text": 128, "hold_every": 2, "held_tokens": 128,
    "every_tokens": 0, "layers": [8], "heads": [2],
}  # fmt: skip


def visit(page: str = "adapt.py", **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / page), default_timeout=SECONDS)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app


def asked(app: AppTest, texts: list[str], **changes: object) -> AppTest:
    """Texts pasted, and settings for a run of seconds."""
    fingerprint = ready_field().field.fingerprint[:12]
    for name, value in {**SHORT, **changes}.items():
        name = f"{name}-{fingerprint}" if name in ("layers", "heads") else name
        app.session_state[f"kept-adapt-{name}"] = value
    app.session_state["kept-adapt-pasted"] = "\n\n".join(texts)
    return app.run()


def ready_field() -> engine.ReadyField:
    log = adapt_recorded.recorded_log()
    return engine.shipped(log.start.model, log.start.fingerprint)


def ended(app: AppTest) -> AppTest:
    until = time.monotonic() + SECONDS
    while app.session_state["adaptation"].going:
        assert time.monotonic() < until
        app.session_state["adaptation"].job.wait(0.5)
        app.run()
    return app.run()


def outcome(app: AppTest) -> str:
    assert not app.exception, app.exception
    return "\n".join(str(part.value).replace("\\", "") for part in app.success)


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def test_before_any_run_a_recorded_film_is_shown() -> None:
    app = visit().run()
    words = said(app)
    assert "Recorded before and shipped with the app" in words
    assert "principal axes" in words and "Press play" in words
    assert address(app) == {} and not app.error
    app.selectbox(key="ask-film").select((15, 0)).run()
    assert address(app) == {"film": "15,0"} and not app.error


def test_the_recorded_log_is_small_and_begins_from_the_shipped_field() -> None:
    assert adapt_recorded.LOG.stat().st_size < 1_000_000
    log = adapt_recorded.recorded_log()
    assert log.finished
    for layer, group, _ in log.start.heads:
        shown = adapt_recorded.recorded_film(log, layer, group)
        kept = {h.kind for h in shown.recording.happenings if h.accepted}
        assert {"birth", "mitosis", "merge", "death", "drift"} <= kept
        assert "<html" in standalone_html(shown.blob, shown.recording.title)


def test_a_link_restores_the_film_the_step_and_the_splat() -> None:
    log = adapt_recorded.recorded_log()
    recording = adapt_recorded.recorded_film(log, 15, 0).recording
    divided = next(h for h in recording.happenings if h.accepted and h.kind == "mitosis")
    splat = int(recording.splat_id[divided.after[0]])
    app = visit(film="15,0", step="6", splat=str(splat)).run()
    words = said(app)
    assert f"What happened to splat {splat}" in words
    assert f"came of a division of #{int(recording.splat_id[divided.before[0]])}" in words
    assert "threshold" in words and "exact attention on the far keys" in words
    assert address(app) == {"film": "15,0", "step": "6", "splat": str(splat)}
    assert len(app.get("plotly_chart")) == 1  # Its evidence over time.
    app.toggle(key="show-curves").set_value(True).run()
    assert len(app.get("plotly_chart")) == 2 and not app.exception
    app = visit(film="99,2", step="x", splat="-1", part="what").run()
    words = said(app)
    assert "no layer 99" in words
    for name in ("step", "splat", "part"):
        assert f"The address says {name}=" in words


def test_a_damaged_log_is_named_and_the_page_works(monkeypatch, tmp_path: Path) -> None:
    content = adapt_recorded.LOG.read_bytes()
    cut, altered = tmp_path / "cut.log", tmp_path / "altered.log"
    cut.write_bytes(content[:-100])
    altered.write_bytes(content[:5000] + b"\0" + content[5001:])
    for log, expected in (
        (cut, "was cut"), (altered, "altered or damaged"), (tmp_path / "none.log", "cannot be read")
    ):  # fmt: skip
        monkeypatch.setattr(adapt_recorded, "LOG", log)
        app = visit().run()
        assert expected in said(app)
        app.button_group[0].set_value("run").run()
        assert "A run needs 2 texts" in said(app)


def test_a_field_that_the_log_did_not_begin_from_is_named(monkeypatch) -> None:
    from dataclasses import replace

    ready = ready_field()
    heads = list(ready.field.heads)
    heads[8] = heads[9]
    other = engine.named(replace(ready.field, heads=tuple(heads)), "shipped")
    monkeypatch.setattr(engine, "shipped", lambda name, fingerprint: other)
    app = visit(film="8,0").run()
    assert "began from another field" in said(app)
    app.selectbox(key="ask-film").select((15, 0)).run()
    assert not app.error


@pytest.mark.parametrize(
    ("name", "content", "size", "reason"),
    [
        ("nul.txt", b"ab\0cd ef", 8, "binary"),
        ("latin.txt", "Käse und Brot".encode("latin-1"), 13, "no text in UTF-8"),
        ("none.md", b" \n", 2, "empty"),
        ("word.txt", b"word", 4, "one word"),
        ("big.txt", b"a b " * 10, 10_000_000, "10.0 MB where 2 MB"),
    ],
)
def test_what_is_no_text_is_refused_by_name_and_others_run(name, content, size, reason) -> None:
    good = ("good.txt", "مرحبا بالعالم 🌍 two words".encode("utf-8-sig"), 40)
    given = adapt_texts.gathered(["fact"], "", "blocks", ((name, content, size), good))
    assert [text.name for text in given.texts] == ["sample fact", "good.txt"]
    assert given.texts[1].content.startswith("مرحبا")
    (refused,) = given.refused
    assert refused.startswith(name) and reason in refused


def test_the_same_text_again_and_again_is_bounded() -> None:
    given = adapt_texts.gathered([], "\n\n".join(["the same text"] * 120), "blocks", ())
    assert len(given.texts) == adapt_texts.MOST_TEXTS and "120 texts" in given.refused[0]
    whole = adapt_texts.gathered([], "one text\n\nof two blocks", "whole", ())
    assert len(whole.texts) == 1


def test_without_texts_heads_or_rules_there_is_no_run() -> None:
    app = asked(visit(part="run"), [])
    assert "A run needs 2 texts" in said(app)
    assert app.button(key="adapt-run").disabled
    app = asked(visit(part="run"), TEXTS, layers=[])
    assert "Choose a layer" in said(app) and app.button(key="adapt-run").disabled
    app = asked(visit(part="run"), TEXTS, **{f"rule-{kind}": False for kind in
                ("birth", "mitosis", "merge", "death", "drift")})  # fmt: skip
    assert "Every rule is switched off" in said(app) and app.button(key="adapt-run").disabled


def test_settings_come_from_their_bounds_and_a_preset_sets_them() -> None:
    from hsa.adaptation.settings import AdaptationSettings
    from hsa.hyperparameter import bounds

    app = asked(visit(part="run"), TEXTS, preset="prune", birth_rate=0.1)
    boxes = {box.key.removeprefix("ask-adapt-"): box for box in app.number_input}
    for name, limit in bounds(AdaptationSettings).items():
        assert (boxes[name].min, boxes[name].max) == (limit.low, limit.high)
    assert boxes["pruned_to"].value == 0.7 and boxes["birth_rate"].value == 0.1
    assert "birth rate 0.1" in said(app)
    app.button(key="adapt-forget").click().run()
    assert app.number_input(key="ask-adapt-birth_rate").value == 0.0


def test_a_short_run_is_watched_used_and_left_again() -> None:
    before = ready_field()
    app = asked(visit(part="run"), TEXTS, keep=["fact"])
    app.button(key="adapt-run").click().run()
    app = ended(app)
    words = said(app)
    assert outcome(app) == "Done: 4 of 4 texts read."
    assert not app.error and "window.hacked" not in words
    assert {"adapt-use", "adapt-watch", "adapt-gain"} <= keys(app)
    run = app.session_state["adaptation"]
    log = read_log(run.log)
    assert log.finished and len(log.steps) == len(run.records) == 4
    rebuilt(log, {(8, 2): before.field.heads[8][2]})

    app.button(key="adapt-watch").click().run()
    assert "Your run" in said(app) and not app.error
    assert "of texts to be kept" in {curve.name for curve in run.film(8, 2).recording.curves}
    assert address(app) == {}

    app.button_group[0].set_value("gain").run()
    assert "Pick a sample above" in said(app)
    app.text_area[0].set_value("The captain spoke of wind and water, and of the light. " * 6).run()
    assert "splats or far tokens a query" in said(app)
    labels = [metric.label for metric in app.metric]
    assert labels == ["Error before", "Error after", "Splats off"] and not app.error

    app.button_group[0].set_value("run").run()
    app.button(key="adapt-use").click().run()
    assert "uses the field of" in said(app)
    used = app.session_state["own-fields"][run.loaded.fingerprint]
    assert used.identity != before.identity and used.field.layers == before.field.layers
    names = zipfile.ZipFile(io.BytesIO(field_zip(used.field, "mine"))).namelist()
    assert names == ["mine.safetensors", "mine.json"]

    atlas = visit("atlas.py", layer="8", head="6", layout="pca", attribute="age")
    for name in ("own-fields", "adaptation"):
        atlas.session_state[name] = app.session_state[name]
    atlas.run()
    assert not atlas.exception
    ages = atlas.dataframe[-1].value["age"]
    assert ages.max() == 4 and ages.notna().all(), "all know how many texts they have lived through"

    elsewhere = visit("generate.py", sample="fact")
    elsewhere.session_state["own-fields"] = app.session_state["own-fields"]
    elsewhere.run()
    assert "uses the field of" in said(elsewhere)
    elsewhere.button(key="own-field-leave").click().run()
    assert "uses the field of" not in said(elsewhere)
    assert ready_field().identity == before.identity, "the shipped field is as it was"


def test_a_run_is_stopped_and_another_begun() -> None:
    app = asked(visit(part="run"), TEXTS * 20)
    app.button(key="adapt-run").click().run()
    until = time.monotonic() + SECONDS
    while not app.session_state["adaptation"].records:
        assert time.monotonic() < until
        time.sleep(0.1)
    app.run()
    app.button_group[0].set_value("watch").run()
    assert "The run goes on" in said(app), "another part, and back"
    app.button_group[0].set_value("run").run()
    app.button(key="adapt-stop").click().run()
    app = ended(app)
    assert "Stopped: " in outcome(app) and "of 80 texts" in outcome(app)
    app.session_state["kept-adapt-pasted"] = "\n\n".join(TEXTS[:2])
    app.run()
    app.button(key="adapt-run").click().run()
    app = ended(app)
    assert outcome(app) == "Done: 2 of 2 texts read."


def test_texts_too_short_for_the_engine_are_said(smollm2: LoadedModel) -> None:
    app = asked(visit(part="run"), ["two words", "three short words"])
    app.button(key="adapt-run").click().run()
    words = said(ended(app))
    assert "nothing to learn from" in words and "shorter than 24 tokens" in words


def test_a_field_of_ones_own_is_seen_by_nobody_else(smollm2: LoadedModel) -> None:
    from dataclasses import replace

    ready = ready_field()
    heads = list(ready.field.heads)
    heads[8] = heads[9]
    own = engine.named(replace(ready.field, heads=tuple(heads)), "adapted here")

    def error(fields: dict) -> str:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=SECONDS)
        for name, value in {"sample": "dialogue", "layer": "8", "head": "6"}.items():
            app.query_params[name] = value
        app.session_state["own-fields"] = fields
        app.switch_page("pages/compare.py").run()
        assert ("that you adapted" in said(app)) == bool(fields)
        return next(line for line in said(app).splitlines() if "Output error of HSA" in line)

    shared = error({})
    mine = error({smollm2.fingerprint: own})
    assert mine != shared
    assert error({}) == shared and error({smollm2.fingerprint: own}) == mine


def test_two_visitors_at_once_change_nothing_of_each_other(smollm2: LoadedModel) -> None:
    from hsa.adaptation.settings import AdaptationSettings
    from hsa.fitting.settings import Text

    ready = ready_field()
    settings = AdaptationSettings(
        tokens_per_text=128, hold_every=2, held_tokens=128, every_tokens=0, patience=1
    )

    def run_of(order: int) -> Run:
        texts = tuple(Text(f"{n}", text) for n, text in enumerate(TEXTS[::order]))
        return Run(smollm2, ready, ((8, 2),), settings, texts)

    alone = [run_of(1), run_of(-1)]
    slots = Slots(2)
    for run in alone:
        job = Job(run.work, slots)
        assert job.wait(SECONDS) and job.error is None
    both = [run_of(1), run_of(-1)]
    jobs = [Job(run.work, slots) for run in both]
    assert all(job.wait(SECONDS) for job in jobs)
    sums = [[r.heads[0].checksum for r in run.records] for run in (*alone, *both)]
    assert sums[:2] == sums[2:] and sums[0] != sums[1]
    assert engine.named(ready.field, "shipped").identity == ready.identity
