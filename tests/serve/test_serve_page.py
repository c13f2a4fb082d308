"""The page in a real browser: what each room does, by hand and by keyboard, and the numbers of the cell under glass."""

import base64
import io
import json
import threading
import time

import browser
import numpy as np
import pytest
import soundfile
import torch
from sounds import RATE, file_of
from test_transcribe_estimator import spoken

from longshort.data.midi import score_of
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
def said(tmp_path_factory):
    """A WAV file of six words."""
    path = tmp_path_factory.mktemp("said") / "said.wav"
    parts = [spoken(["ding", "dong", "deng"], np.random.default_rng(k)) for k in range(2)]
    path.write_bytes(file_of(np.concatenate(parts), rate=RATE))
    return path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory, said):
    one = browser.Browser(tmp_path_factory.mktemp("profile"), said)
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


def button(name):
    return f"[...document.querySelectorAll('button')].find((one) => one.textContent === {json.dumps(name)})"


WORDS = "[...document.querySelectorAll('.words button')].map((one) => one.textContent)"


@pytest.mark.parametrize("name", ["live", "transcribe"])
@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_a_file_is_heard_drawn_and_played(page, runs, said, tmp_path, name, kind):
    chromium, path = page(name), said
    if kind == "mp3":  # not taken by the service: the browser makes a WAV file of it
        path = tmp_path / "said.mp3"
        soundfile.write(path, *soundfile.read(said))
    chromium.choose("input[type=file]", path)
    chromium.until(f"{text('.status')}.includes(' in 2.')")
    told = runs[name].model.transcribe(said)
    if kind == "wav":
        assert chromium.run(text("p.answer")) == told.text
        assert chromium.run(WORDS) == [word.text for word in told.words]
        assert f"sure to {100 * told.confidence:.0f} %" in chromium.run(text(".status"))
    # Under their times: the words stand where they are said.
    lefts = chromium.run("[...document.querySelectorAll('.words li')].map((one) => parseFloat(one.style.left))")
    width = chromium.run("document.querySelector('figure canvas').getBoundingClientRect().width")
    if kind == "wav" and name == "live":
        starts = [width * word.start / told.seconds for word in told.words]
        np.testing.assert_allclose(lefts[:-1], starts[:-1], atol=1)  # the last one may need room on its right
        assert lefts[-2] < lefts[-1] <= starts[-1] + 1
    # Something was drawn in each of its parts.
    drawn = (
        "(() => { const c = document.querySelector('figure canvas'), d = c.getContext('2d').getImageData(0, 0, c.width,"
        "c.height).data, parts = [0, 0, 0]; for (let k = 3; k < d.length; k += 4) if (d[k]) parts[Math.min(2, "
        "Math.floor(k / 4 / c.width / 90))]++; return parts; })()"
    )
    assert min(chromium.run(drawn)) > 100
    chromium.run(f"{button('Play')}.click()")
    chromium.until("parseFloat(document.querySelector('.playhead').style.left) > 20")
    chromium.run(f"{button('Stop playing')}.click()")
    assert chromium.run("document.querySelector('.playhead').hidden")
    chromium.run("document.querySelector('.words button')?.click()")
    chromium.until(f"Boolean({button('Stop playing')})")
    chromium.run(f"{button('Stop playing')}.click()")


def test_sound_in_javascript_is_that_of_the_libraries(page):
    chromium, rng = page("live"), np.random.default_rng(0)
    sound = rng.uniform(-1.2, 1.2, 999).astype(np.float32)
    sent = chromium.run(
        f"import('/page/sound.js').then(async (m) => m.base64(new Uint8Array(await m.wav(Float32Array.from("
        f"{json.dumps(sound.tolist())}), 11025).arrayBuffer())))"
    )
    read, rate = soundfile.read(io.BytesIO(base64.b64decode(sent)))
    assert rate == 11_025
    np.testing.assert_allclose(read, np.clip(sound, -1, 1), atol=2**-14)
    some = sound[:256].astype(np.float64)
    found = chromium.run(
        f"import('/page/wave.js').then((m) => {{ const re = Float64Array.from({json.dumps(some.tolist())}),"
        "im = new Float64Array(256); m.fourier(re, im); return [[...re], [...im]]; })"
    )
    np.testing.assert_allclose(found[0] + 1j * np.array(found[1]), np.fft.fft(some), atol=1e-9)
    assert chromium.run(
        "import('/page/sound.js').then((m) => [...m.joined([[1, 2], [], [3]].map((c) => Float32Array.from(c)))])"
    ) == [1, 2, 3]


@pytest.mark.parametrize("name", ["live", "transcribe"])
def test_the_microphone(page, name):
    """It hears the file with the six words again and again, from somewhere within it, perhaps with gaps."""
    chromium = page(name)
    chromium.run(f"{button('Record')}.focus()")
    chromium.press(" ")
    chromium.until(f"Boolean({button('Stop')})")
    if name == "live":
        # What is said is written while it is said.
        chromium.until("document.querySelectorAll('p.answer span').length > 2")
        assert chromium.run(f"Boolean({button('Stop')})")
    else:
        time.sleep(1.5)
    chromium.press(" ")
    chromium.until("Boolean(document.querySelector('figure canvas'))")
    heard = chromium.run(text("p.answer"))
    if name == "live":
        assert len(heard.split()) > 2
        assert set(heard.split()) <= {"ding", "dong", "deng"}
        assert chromium.run(WORDS) == heard.split()
    assert chromium.run("document.querySelector('meter').hidden")


def test_a_file_is_dropped(page, runs, said):
    chromium = page("live")
    sent = base64.b64encode(said.read_bytes()).decode()
    chromium.run(
        f"import('/page/sound.js').then((m) => {{ const data = new DataTransfer(); data.items.add(new File([m.unbase64("
        f"'{sent}')], 'said.wav')); document.querySelector('.drop').dispatchEvent(new DragEvent('drop', "
        "{ dataTransfer: data })); })"
    )
    chromium.until("Boolean(document.querySelector('figure canvas'))")
    assert chromium.run(text("p.answer")) == runs["live"].model.transcribe(said).text


def test_a_file_that_is_no_sound(page, tmp_path):
    chromium = page("live")
    (tmp_path / "said.wav").write_bytes(b"Ding. Dong.")
    chromium.choose("input[type=file]", tmp_path / "said.wav")
    chromium.until("document.querySelector('.status.wrong')?.textContent.startsWith('This is no sound')")


@pytest.mark.parametrize("name", ["compose", "rolls"])
def test_a_tune_is_drawn_played_and_kept(page, runs, tmp_path, name):
    chromium = page(name)
    fields = (
        "Object.fromEntries([...document.querySelectorAll('form label')].map((one) => [one.textContent, one.control]))"
    )
    for field, value in (
        ("Bars", 3),
        ("Seed", 5),
        ("Key", "D major"),
        ("Instrument", 40),
        ("Quarter notes a minute", 90),
    ):
        chromium.run(f"({fields})[{json.dumps(field)}].value = {json.dumps(value)}")
    chromium.run("document.querySelector('button.main').focus()")
    chromium.press("Enter")
    label = chromium.until("document.querySelector('figure svg')?.getAttribute('aria-label')")
    told = runs[name].model.compose(bars=3, seed=5, key="D major", instruments=(40,), tempo=90)
    assert label.startswith(f"Piano roll of {len(told.notes)} notes over ")
    assert chromium.run("document.querySelectorAll('figure rect').length") == len(told.notes)
    assert chromium.run(text(".status")).startswith(
        f"{len(told.notes)} notes, {told.seconds:.0f} seconds at 90 quarter"
    )
    chromium.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    chromium.run("document.querySelector('a[download]').click()")
    kept = tmp_path / f"{name}.mid"
    browser.wait(kept.exists, 20)
    assert kept.read_bytes() == told.midi()
    chromium.run(f"{button('Play')}.click()")
    chromium.until("Number(document.querySelector('line[stroke-width]').getAttribute('x1')) > 60")
    chromium.run(f"{button('Stop playing')}.click()")
    assert chromium.run("document.querySelector('line[stroke-width]').getAttribute('visibility')") == "hidden"
    # Another one goes on from a file.
    path = tmp_path / "walk.mid"
    path.write_bytes(score_of(np.array([(0.5 * k, 0.5, 60 + k % 7, 0) for k in range(24)]), 90).dumps_midi())
    chromium.choose("input[type=file]", path)
    chromium.run("document.querySelector('button.main').click()")
    chromium.until("document.querySelectorAll('rect[fill=\"var(--soft)\"]').length >= 23")


@pytest.mark.parametrize("room", ["cell", "forecast", "language", "classify", "translate", "chat", "live", "compose"])
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
