"""The page in a real browser: what each room does, by hand and by keyboard, and the numbers of the cell under glass."""

import json
import threading
import time

import browser
import pytest
import torch

from longshort.nn import LSTM, RNN
from longshort.serve import Limits, create_app

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium here to drive")


@pytest.fixture(scope="module")
def address(runs):
    """A service in a thread, on a free port."""
    import uvicorn

    config = uvicorn.Config(create_app(list(runs.values()), Limits()), port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    one = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture
def page(chromium, address):
    """Opens a room, and sees that the browser had nothing to complain of and that nothing came from elsewhere."""
    chromium.errors.clear()
    chromium.look()

    def open_room(name):
        chromium.open(f"{address}/#{name}", name)
        return chromium

    yield open_room
    loaded = chromium.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert chromium.errors == []
    assert all(one.startswith(address) for one in loaded)


def text(css):
    return f"document.querySelector({json.dumps(css)})?.textContent"


def test_the_cell_has_the_numbers_of_our_layers(page):
    chromium = page("cell")
    for name, value in (("f-b", 1.5), ("f-h", -0.7), ("i-h", 0.3), ("g-h", 0.6), ("o-x", -1.2), ("rnn-b", 0.2)):
        chromium.run(
            f"(() => {{ const s = document.getElementById('glass-{name}'); s.value = {value};"
            "s.dispatchEvent(new Event('input')); })()"
        )
    chromium.run(
        "(() => { const s = document.getElementById('glass-input'); s.value = 'up and down';"
        "s.dispatchEvent(new Event('change')); const t = document.getElementById('glass-step'); t.value = 17;"
        "t.dispatchEvent(new Event('input')); })()"
    )
    sliders = chromium.run(
        "Object.fromEntries([...document.querySelectorAll('.slider input')].map((s) => [s.id, Number(s.value)]))"
    )
    shown = chromium.run(
        "Object.fromEntries([...document.querySelectorAll('[data-name]')]"
        ".map((b) => [b.dataset.name, Number(b.dataset.value)]))"
    )
    x = torch.sin(torch.arange(30, dtype=torch.float64) / 2).unsqueeze(1)
    lstm, rnn = LSTM(1, 1, dtype=torch.float64), RNN(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for part, weight in (("x", lstm.weight_ih_l0), ("h", lstm.weight_hh_l0), ("b", lstm.bias_ih_l0)):
            values = torch.tensor([sliders[f"glass-{gate}-{part}"] for gate in "ifgo"], dtype=torch.float64)
            weight.copy_(values.view_as(weight))
        lstm.bias_hh_l0.zero_()
        for part, weight in (("x", rnn.weight_ih_l0), ("h", rnn.weight_hh_l0), ("b", rnn.bias_ih_l0)):
            weight.fill_(sliders[f"glass-rnn-{part}"])
        rnn.bias_hh_l0.zero_()
    trace, plain = lstm.trace(x), rnn.trace(x)
    for name, values in {**trace._asdict(), "h (plain)": plain.h}.items():
        key = {"c": "c′", "h": "h′"}.get(name, name)
        assert shown[key] == pytest.approx(values[0, 0, 17, 0].item(), abs=1e-12), name
    # What is left of a change: autograd says the same of the plain unit, and of the cell with its gates held fast.
    share = chromium.run(
        "import('/page/recurrence.js').then((m) => { const w = (g) => Object.fromEntries(['x', 'h', 'b']"
        ".map((p) => [p, Number(document.getElementById(`glass-${g}-${p}`).value)]));"
        "const lstm = Object.fromEntries(m.GATES.map((g) => [g, w(g)])), rnn = w('rnn');"
        "const steps = m.run(lstm, rnn, Array.from({ length: 30 }, (_, t) => Math.sin(t / 2)));"
        "return m.kept(steps, rnn, 1).at(-1); })"
    )
    assert share["lstm"] == pytest.approx(trace.f[0, 0, 2:, 0].prod().item(), rel=1e-9)
    h = plain.h[0, 0, 1].detach().requires_grad_()
    y, _ = rnn(x[2:], h.unsqueeze(0))
    (slope,) = torch.autograd.grad(y[-1, 0], h)
    assert share["rnn"] == pytest.approx(abs(slope.item()), rel=1e-9)


def test_the_cell_by_keyboard(page):
    chromium = page("cell")
    chromium.run("document.getElementById('glass-step').focus()")
    chromium.press("ArrowRight", 4)
    assert chromium.run(text("#glass-equations div")).startswith("step 5,")
    before = chromium.run(text("#glass-kept"))
    chromium.run("document.getElementById('glass-f-b').focus()")
    chromium.press("ArrowLeft", 30)
    assert chromium.run(text("#glass-kept")) != before
    assert chromium.run("document.getElementById('glass-f-b').getAttribute('aria-valuetext')") == "2.0"


def test_a_forecast_is_drawn_and_moves(page):
    chromium = page("forecast")
    first = chromium.until("document.querySelector('figure svg')?.getAttribute('aria-label')")
    assert first.startswith("Forecast of y: median ")
    assert chromium.run("document.querySelectorAll('polygon').length") == 5
    chromium.run("document.querySelector('input[type=number]').focus()")
    chromium.write("25")
    chromium.press("Enter")
    chromium.until(f"{text('.status')}.startsWith('One value more.')")
    assert chromium.run("document.querySelector('figure svg').getAttribute('aria-label')") != first
    chromium.run("document.querySelector('textarea').focus()")
    chromium.write("day,sales\n2024-05-01,3\n2024-05-02,\n2024-05-03,5.5\n2024-05-04,4")
    chromium.run("document.querySelector('button.main').click()")
    chromium.until(f"{text('.status')}.startsWith('4 values of yours.')")
    assert "2024-05-05" in chromium.run("document.querySelector('figure svg').getAttribute('aria-label')")
    chromium.run("document.querySelector('textarea').value = 'yesterday, 3'")
    chromium.run("document.querySelector('button.main').click()")
    chromium.until("document.querySelector('.status.wrong')?.textContent.includes('write it like 2025-01-31')")


def test_the_next_words_and_the_gates_follow_what_is_typed(page, runs):
    chromium, model = page("language"), runs["language"].model
    chromium.run("document.querySelector('textarea').focus()")
    chromium.write("the cat")
    chromium.until("document.querySelector('.status').dataset.tokens === '7'")
    told = model.score("the cat")["log_probability"]
    assert f"{torch.tensor(-told.mean()).exp().item():.1f}" in chromium.run(text(".status"))
    label = chromium.run("document.querySelector('canvas').getAttribute('aria-label')")
    assert label.startswith("forget gate f of 8 units over 7 tokens; at the last one, t, ")
    chromium.run("document.querySelector('textarea').value = 'the red'")
    chromium.run("document.querySelector('textarea').dispatchEvent(new Event('input'))")
    chromium.until("document.querySelector('canvas').getAttribute('aria-label').includes('at the last one, d,')")
    picked = chromium.run(text(".bars button"))
    chromium.run("document.querySelector('.bars button').click()")
    chromium.until("document.querySelector('.status').dataset.tokens === '8'")
    assert chromium.run("document.querySelector('textarea').value").endswith({"␣": " ", "↵": "\n"}.get(picked, picked))
    chromium.run("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Write on').click()")
    chromium.until("[...document.querySelectorAll('.status')].some((s) => s.textContent === 'Done.')")
    assert chromium.run("document.querySelector('textarea').value.length") > 100


def test_a_review_and_its_words(page, runs):
    chromium = page("classify")
    chromium.run("document.querySelector('textarea').value = 'a great film'")
    chromium.run("document.querySelector('button.main').click()")
    shaded = chromium.until("[...document.querySelectorAll('p.text span')].map((s) => s.textContent)")
    assert shaded == ["a", "great", "film"]
    label = runs["classify"].model.predict(["a great film"])["label"][0]
    assert chromium.run(text(".status")).startswith(f"{label}, with a probability of ")


def test_a_translation_and_its_alignment(page, runs):
    chromium = page("translate")
    chromium.run("document.querySelector('textarea').value = 'the cat sees a <b>bird</b>'")
    chromium.run("document.querySelector('button.main').click()")
    shown = chromium.until("document.querySelector('p.answer')?.textContent")
    told = runs["translate"].model.predict(["the cat sees a <b>bird</b>"])["translation"][0]
    assert shown == (told or "(nothing)")
    aligned = runs["translate"].model.align("the cat sees a <b>bird</b>", told)
    assert chromium.run("document.querySelectorAll('figure rect').length") == aligned.weights.size


def test_a_conversation_by_keyboard(page, runs):
    chromium = page("chat")
    chromium.run("document.querySelector('form input').focus()")
    for said in ("I am in Rome.", "Some fish."):
        chromium.write(said)
        chromium.press("Enter")
    heard = chromium.until(
        "(() => { const all = [...document.querySelectorAll('.log p')].map((p) => p.lastChild.textContent);"
        "return all.length === 4 && all; })()"
    )
    model = runs["chat"].model
    first = model.reply(["I am in Rome."])
    second = model.reply(["I am in Rome.", first, "Some fish."])
    shown = [reply or "(nothing)" for reply in (first, second)]
    assert sorted(heard) == sorted(["I am in Rome.", "Some fish.", *shown])


@pytest.mark.parametrize("room", ["cell", "forecast", "language", "classify", "translate", "chat"])
def test_narrow_dark_and_named(page, room):
    chromium = page(room)
    chromium.look(width=360, height=700, scheme="dark")
    assert chromium.run("document.documentElement.scrollWidth") <= 360
    assert chromium.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    nameless = chromium.run(
        "[...document.querySelectorAll('main input, main select, main textarea, main button')].filter((one) =>"
        "!(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())).map((one) => one.outerHTML)"
    )
    assert nameless == []
    chromium.press("Tab")
    chromium.press("Tab")
    assert chromium.run("document.activeElement !== document.body")


def test_the_key_is_asked_for(chromium, runs):
    import uvicorn

    config = uvicorn.Config(create_app([runs["chat"]], key="a key?>~"), port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        where = f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
        chromium.call("Page.navigate", url=where)
        chromium.until("document.getElementById('key')?.open === true")
        chromium.run("document.getElementById('key-value').value = 'a key?>~'")
        chromium.run("document.querySelector('#key button').click()")
        chromium.until("document.querySelector('form input[type=text]') !== null")
        chromium.run("document.querySelector('form input').focus()")
        chromium.write("I am in Rome.")
        chromium.press("Enter")
        chromium.until("document.querySelectorAll('.log p').length === 2")
    finally:
        server.should_exit = True
        thread.join(30)
