"""The library without a browser: what lies here, what is opened, refused and worked out again."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from hsa.field.checkpoint import packed
from hsa.field.model_field import ModelField
from hsa.field.shipped import shipped_field
from hsa.models.loaded import LoadedModel
from hsa.sharing.bundle import Bundle, make_bundle
from hsa.sharing.bundle_file import written
from hsa.sharing.view import View
from tests.pages.test_compare import address, factors, said

ROOT = Path(__file__).parents[2]
LOG = ROOT / "assets/replays/smollm2-dialogue.log"
LONG = "The whale swam on. " * 40


@pytest.fixture(scope="module")
def field(minilm: LoadedModel) -> ModelField:
    return shipped_field("minilm", minilm.fingerprint)


@pytest.fixture(scope="module")
def bundle(minilm: LoadedModel, field: ModelField) -> Bundle:
    count = len(minilm.tokenize(LONG))
    view = View(2, 3, 12, field.spending, "query", 0, count, 9, 40)
    chosen = {"model": "minilm", "layer": "2", "head": "3", "cell": "9,40", "reads": "12"}
    return make_bundle(minilm, field, LONG, view, "compare", tuple(chosen.items()))


def visit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    # The start page first: without it Streamlit cannot switch pages itself.
    return app.run().switch_page("pages/library.py").run()


def give(app: AppTest, content: bytes, name: str = "b.zip") -> AppTest:
    app.file_uploader(key="library-file").set_value((name, content, "application/zip"))
    return app.run()


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


def frame_of(app: AppTest, column: str) -> dict[str, list]:
    (found,) = (table for table in app.dataframe if column in table.value)
    return found.value.to_dict("list")


def test_what_ships_is_listed_with_what_it_was_made_from() -> None:
    app = visit(model="minilm")
    fields, logs = frame_of(app, "positions"), frame_of(app, "log")
    assert fields["model"] == ["minilm", "smollm2"]
    described = json.loads((ROOT / "assets/fields/smollm2.json").read_text())
    assert fields["checksum"][1] == described["sha256"][:16]
    assert fields["bytes"][1] == (ROOT / "assets/fields/smollm2.safetensors").stat().st_size
    assert "moby" in fields["fitted on"][1]
    assert logs["log"] == [LOG.name] and logs["texts"] == [13]
    assert "dialogue-00.txt" in logs["made from"][0]
    assert "Nothing yet" in said(app) and address(app) == {"model": "minilm"}


def test_a_bundle_is_opened_worked_out_again_and_its_view_restored(bundle: Bundle) -> None:
    app = give(visit(), written(bundle))
    assert "A bundle: minilm, layer 2, head 3, query 9, key 40" in said(app)
    numbers = frame_of(app, "number")
    assert len(numbers["number"]) == len(bundle.numbers)
    assert set(numbers["come by"]) == {"measured", "derived", "approximate"}
    assert "outcome" not in numbers, "nothing is said to be verified before it is"
    app.button(key="library-verify").click().run()
    assert set(frame_of(app, "number")["outcome"]) == {"passed"}
    assert f"All {len(bundle.numbers)} come out again" in str(app.success[0].value)
    app.button(key="library-open-view").click().run()
    assert app.title[0].value == "Compare a head"
    words = said(app)
    assert "Why query 9 " in words and words.count("✓ passed") == 3
    numbers = {number.name: number.values for number in bundle.numbers}
    assert f"Output error of HSA **{float(numbers['error']):.1%}**" in words
    shown = [*numbers["shares"].tolist(), float(numbers["product"])]
    assert factors(app) == [float(f"{number:.4g}") for number in shown], "the page says the same"
    given = address(app)
    assert given.pop("text").startswith("sha256:"), "the prompt is longer than an address holds"
    assert given == dict(bundle.choices)


def test_a_number_that_does_not_come_out_is_said_to_fail(bundle: Bundle) -> None:
    altered = tuple(
        replace(n, values=n.values + 0.01) if n.name == "weight" else n for n in bundle.numbers
    )
    app = give(visit(), written(replace(bundle, numbers=altered)))
    app.button(key="library-verify").click().run()
    assert "1 of 16 do not come out again" in str(app.error[0].value)
    numbers = frame_of(app, "number")
    failed = numbers["outcome"].index("FAILED")
    assert numbers["number"][failed] == "The weight A of query and key"
    assert numbers["difference"][failed] == pytest.approx(0.01, rel=1e-6)


def test_a_refused_file_says_why_and_changes_nothing(bundle: Bundle) -> None:
    app = give(visit(), written(bundle))
    damaged = bytearray(LOG.read_bytes())
    damaged[5000] ^= 1
    newer = LOG.read_bytes()[:7] + b"\x63" + LOG.read_bytes()[8:]
    for content, why in (
        (b"not a zip", "This is no bundle of HSA Explorer"),
        (zipped(evil_pkl=b"x"), "This is no bundle of HSA Explorer"),
        (written(bundle)[:-30], "This is no bundle of HSA Explorer"),
        (zipped(x_json=b"{}", x_safetensors=b"x"), "x.json|damaged"),
        (bytes(damaged), "was altered or damaged"),
        (newer, "of a newer program"),
    ):
        app = give(app, content)
        assert any(part in str(app.error[0].value).replace("\\", "") for part in why.split("|"))
        assert "A bundle: minilm" in said(app), "what was open stays open"
        assert address(app) == {}
    app.button(key="library-close").click().run()
    assert not app.error and "A bundle: minilm" not in said(app)


def test_bundles_of_other_models_and_fields_are_refused_when_worked_out(bundle: Bundle) -> None:
    other = replace(bundle, field=replace(bundle.field, checksum="0" * 64))
    app = give(visit(), written(other))
    app.button(key="library-verify").click().run()
    assert "made with another field" in str(app.error[0].value)
    app.button(key="library-open-view").click().run()
    assert "another field than the one that ships here" in said(app)
    app = give(visit(), written(replace(bundle, fingerprint="0" * 64)))
    app.button(key="library-verify").click().run()
    assert "made with another model" in str(app.error[0].value)


def test_a_field_is_used_by_this_session_and_no_other(field: ModelField) -> None:
    tensors, described = packed(replace(field, temper=field.temper * 0.5))
    app = give(
        visit(model="minilm", sample="fact"), zipped(f_safetensors=tensors, f_json=described)
    )
    assert "A field of minilm" in said(app)
    app.button(key="library-use-field").click().run()
    assert "Field of minilm, from a file" in said(app)
    assert app.button(key="library-use-field").disabled
    caveats = json.loads(app.get("bidi_component")[0].proto.json)["caveats"]
    assert caveats == ["You use a field of your own, which no link can hold."]
    app = app.switch_page("pages/compare.py").run()
    assert "that you opened from a file" in said(app)
    other = visit(model="minilm")
    assert "Nothing yet" in said(other), "another visitor has nothing of it"


def test_unsound_fields_are_refused(field: ModelField) -> None:
    app = visit(model="minilm")
    for wrong in (
        replace(field, tilt=field.tilt * float("inf")),
        replace(field, temper=field.temper[:, :, :2]),
        replace(field, heads=field.heads[:2]),
    ):
        tensors, described = packed(wrong)
        app = give(app, zipped(f_safetensors=tensors, f_json=described))
        assert "not sound" in str(app.error[0].value)
    strange = replace(field, fingerprint="1" * 64)
    tensors, described = packed(strange)
    app = give(app, zipped(f_safetensors=tensors, f_json=described))
    app.button(key="library-use-field").click().run()
    assert "belongs to another model" in str(app.error[0].value)
    assert "Nothing yet" in said(visit(model="minilm"))


def test_a_log_is_rebuilt_and_watched() -> None:
    app = give(visit(), LOG.read_bytes(), "mine.log")
    assert "13 texts in 2 heads, finished" in said(app)
    app.button(key="library-rebuild").click().run()
    assert "Every step came out" in str(app.success[0].value)
    app.button(key="library-watch").click().run()
    assert app.title[0].value == "Adapt"
    link = json.loads(app.get("bidi_component")[0].proto.json)
    assert "the log that you opened" in link["caveats"][0] and not link["bundle"]
    assert "From a log that you opened" in said(app)


def test_a_log_that_unpacks_to_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsa.sharing.given_file.MOST_LOG_BYTES", 50_000)
    app = give(visit(), LOG.read_bytes(), "mine.log")
    assert "The log is too large" in str(app.error[0].value)
