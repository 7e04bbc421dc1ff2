"""A visitor plays, steps, scrubs and chooses, on a page and in a file of its own."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hsa.adaptation.recording import Recording
from pages.ui.player import standalone_html
from tests.pages.ui.recordings import film

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser
expect = sync_api.expect

HOSTILE = '</script><img src=x onerror="window.hacked=1">'
NAMES = ["start", *(HOSTILE if at % 2 else f"text {at}" for at in range(1, 12))]
SCRIPT = f"""
import streamlit as st
from pages.ui.player import adaptation_player, encode
from tests.pages.ui.recordings import film

st.set_page_config(layout="wide")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1

@st.cache_resource(max_entries=1)
def blob():
    return encode(film(names={NAMES!r}, title={HOSTILE!r}))

def choose():
    st.session_state["film"] = {{"selected": st.session_state["splat"], "step": 3}}

state = adaptation_player(key="film", blob=blob())
st.text(f"selected={{state.selected}} step={{state.step}}")
st.text(f"runs={{st.session_state['runs']}}")
st.number_input("splat", 0, 10_000, key="splat", on_change=choose)
"""


@pytest.fixture(scope="module")
def address(script_address):
    return script_address("film", SCRIPT)


class Shown:
    """The player as a visitor meets it."""

    def __init__(self, page, url: str, recording: Recording) -> None:
        self.page, self.recording = page, recording
        self.errors: list[str] = []
        self.asked: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.note(said))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(url)
        self.player = page.locator(".player")
        self.map = page.locator(".touch")
        page.locator('.player[data-ready="true"]').wait_for()

    def note(self, said) -> None:
        if "Content Security Policy" in said.text:
            self.errors.append(said.text)

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def rests_at(self, step: int) -> None:
        self.page.locator(f'.player[data-resting="true"][data-step="{step}"]').wait_for()

    def painted(self) -> None:
        """What the browser was told before is on the canvas, and in its attributes."""
        self.page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def step(self) -> int:
        return int(self.player.get_attribute("data-step"))

    def place(self, splat: int, step: int) -> tuple[float, float]:
        """Where a splat, by its number, is drawn on the page at a step."""
        film = self.recording
        frame = ((film.frame_splat == splat) & (film.frame_step <= step)).nonzero()[-1].item()
        x, y, scale = (float(part) for part in self.player.get_attribute("data-view").split(","))
        box = self.map.bounding_box()
        return (
            box["x"] + x + float(film.frame_x[frame]) * scale,
            box["y"] + y - float(film.frame_y[frame]) * scale,
        )

    def apart(self, step: int) -> int:
        """The Phrase farthest from every other splat: a click there means it alone."""
        film = self.recording
        standing = ((film.born <= step) & (film.died > step)).nonzero().squeeze(1).tolist()
        at = {splat: self.place(splat, step) for splat in standing}

        def distance(splat: int) -> float:
            x, y = at[splat]
            return min(abs(x - u) + abs(y - v) for other, (u, v) in at.items() if other != splat)

        return max((splat for splat in standing if film.level[splat] == 2), key=distance)

    def click(self, splat: int, step: int) -> int:
        self.page.mouse.click(*self.place(splat, step))
        return int(self.recording.splat_id[splat])

    def python_says(self, selected: int | None, step: int) -> None:
        words = f"selected={selected} step={step}"
        expect(self.page.get_by_text(words, exact=True)).to_be_visible()
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()

    def runs(self) -> int:
        return int(self.page.get_by_text(re.compile(r"^runs=\d+$")).inner_text().split("=")[1])


@pytest.fixture
def opened(browser, tmp_path):
    shown: list[Shown] = []

    def open_one(recording: Recording, url: str | None = None, **options) -> Shown:
        options = {"viewport": {"width": 1400, "height": 1000}} | options
        page = browser.new_page(**options)
        page.set_default_timeout(15_000)
        if url is None:
            file = tmp_path / f"film{len(shown)}.html"
            file.write_text(standalone_html(recording, recording.title), "utf-8")
            url = file.as_uri()
        shown.append(Shown(page, url, recording))
        return shown[-1]

    yield open_one
    for one in shown:
        assert one.errors == []
        assert one.page.evaluate("window.hacked") is None
        one.page.close()


def test_python_hears_of_rest_and_choice_alone(opened, address):
    shown = opened(film(names=NAMES, title=HOSTILE), address)
    shown.python_says(None, 0)
    before = shown.runs()
    shown.page.get_by_label("Speed").select_option("8")
    shown.button("Play the film").click()
    shown.page.locator('.player[data-playing="true"]').wait_for()
    expect(shown.player).to_have_attribute("data-step", re.compile("[3-9]"))
    assert shown.runs() == before, "playing is none of Python's business"
    shown.page.keyboard.press("Space")
    shown.page.locator('.player[data-playing="false"]').wait_for()
    shown.python_says(None, shown.step())
    assert shown.runs() == before + 1

    shown.map.focus()
    shown.page.keyboard.press("Home")
    shown.rests_at(0)
    for _ in range(3):
        shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("ArrowLeft")
    shown.rests_at(2)
    shown.python_says(None, 2)

    splat = shown.apart(2)
    chosen = shown.click(splat, 2)
    shown.python_says(chosen, 2)
    expect(shown.page.locator(".kin li").first).to_be_visible()

    number = shown.page.get_by_label("splat", exact=True)
    number.fill("103")
    number.press("Enter")
    shown.python_says(103, 3)
    expect(shown.player).to_have_attribute("data-selected", "103")
    expect(shown.player).to_have_attribute("data-step", "3")

    shown.map.focus()
    shown.page.keyboard.press("Escape")
    shown.python_says(None, 3)
    assert shown.page.locator(".player img").count() == 0


def test_scrubbing_reaches_every_step(opened):
    shown = opened(film(names=NAMES, title=HOSTILE))
    scrub = shown.page.get_by_role("slider", name="Step")
    scrub.fill("7")
    shown.rests_at(7)
    expect(shown.page.locator(".step .name")).to_have_text(HOSTILE)
    assert HOSTILE in scrub.get_attribute("aria-valuetext")
    plot = shown.page.locator(".plot").first.bounding_box()
    shown.page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 40)
    shown.page.mouse.down()
    shown.page.mouse.move(plot["x"] + plot["width"] + 50, plot["y"] + 40, steps=3)
    shown.page.mouse.up()
    shown.rests_at(11)
    shown.button("One step back").click()
    shown.rests_at(10)
    assert shown.asked == [shown.page.url], "a file asks for nothing but itself"


def test_an_event_leads_to_its_step_and_a_splat_to_its_line(opened):
    recording = film()
    shown = opened(recording)
    shown.page.get_by_label("Kind of event").select_option("mitosis")
    shown.page.get_by_label("accepted only").check()
    wanted = [h for h in recording.happenings if h.kind == "mitosis" and h.accepted]
    expect(shown.page.locator(".total")).to_have_text(str(len(wanted)))
    shown.page.locator(".event").nth(2).click()
    shown.rests_at(wanted[2].step)
    expect(shown.page.locator(".event.now").first).to_contain_text("Mitosis")

    child = wanted[2].after[0]
    ids = recording.splat_id.tolist()
    find = shown.page.get_by_label("Choose a splat by its id")
    find.fill(str(ids[child]))
    find.press("Enter")
    expect(shown.player).to_have_attribute("data-selected", str(ids[child]))
    line = shown.page.locator(".kin")
    expect(line).to_contain_text(f"Mitosis#{ids[wanted[2].before[0]]} → ")
    expect(line).to_contain_text("threshold 2.4")
    expect(line).to_contain_text("objective")
    shown.button(f"Choose splat #{ids[wanted[2].before[0]]}").first.click()
    expect(shown.player).to_have_attribute("data-selected", str(ids[wanted[2].before[0]]))
    shown.button("Clear the selection").click()
    expect(shown.player).to_have_attribute("data-selected", "")

    shown.page.mouse.move(*shown.place(shown.apart(wanted[2].step), wanted[2].step))
    expect(shown.page.locator(".tooltip")).to_contain_text("share")


def test_five_thousand_events_are_few_elements(opened):
    recording = film(steps=3)
    many = tuple(recording.happenings[at % 4] for at in range(5000))
    shown = opened(replace(recording, happenings=many))
    expect(shown.page.locator(".total")).to_have_text("5,000")
    listed = shown.page.locator(".list")
    listed.focus()
    shown.page.keyboard.press("ArrowDown")
    listed.evaluate("(list) => { list.scrollTop = list.scrollHeight; }")
    expect(shown.page.locator(".event").last).to_have_attribute("aria-posinset", "5000")
    assert shown.page.locator(".event").count() < 40


def test_zoom_and_drag_move_the_map(opened):
    shown = opened(film())
    splat = shown.apart(0)
    x, y = map(round, shown.place(splat, 0))
    shown.page.mouse.move(x, y)
    shown.page.mouse.wheel(0, -200)
    expect(shown.button("Zoom out")).to_be_enabled()
    assert shown.place(splat, 0) == pytest.approx((x, y), abs=2), (
        "what was under the pointer stayed"
    )
    chosen = shown.click(splat, 0)
    expect(shown.player).to_have_attribute("data-selected", str(chosen))
    before = shown.place(splat, 0)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 40, y + 12, steps=4)
    shown.page.mouse.up()
    shown.painted()
    after = shown.place(splat, 0)
    assert after == pytest.approx((before[0] + 40, before[1] + 12), abs=2)
    shown.button("Show the whole map").click()
    expect(shown.button("Show the whole map")).to_be_disabled()


@pytest.mark.parametrize(
    "recording",
    [
        film(steps=1),
        film((0, 0, 1), 1),
        film((0, 3, 12)),
        replace(film(), happenings=(), curves=()),
    ],
    ids=["one step", "one splat", "no Documents", "no events or curves"],
)
def test_small_films_play_on_a_telephone_in_the_dark(opened, recording):
    shown = opened(recording, viewport={"width": 360, "height": 740}, color_scheme="dark")
    last = len(recording.step_names) - 1
    shown.map.focus()
    shown.page.keyboard.press("End")
    shown.rests_at(last)
    shown.page.keyboard.press("Space")
    if last:
        expect(shown.player).to_have_attribute("data-step", re.compile("[1-3]"))
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_whoever_wants_less_motion_sees_whole_steps(opened):
    shown = opened(film(), reduced_motion="reduce")
    shown.page.get_by_label("Speed").select_option("8")
    seen = shown.page.evaluate(
        """new Promise((done) => {
          const head = document.querySelector(".playhead"), places = new Set();
          document.querySelector(".toggle").click();
          const look = () => {
            places.add(head.style.transform);
            const { step, resting } = document.querySelector(".player").dataset;
            if (resting === "true" && step === "11") done(places.size);
            else requestAnimationFrame(look);
          };
          look();
        })"""
    )
    assert seen <= 12
