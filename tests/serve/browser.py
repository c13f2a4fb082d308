"""A headless Chromium that is driven over its own protocol (Chrome DevTools): no driver, no further library."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time

from websockets.sync.client import connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--no-first-run"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0", "--autoplay-policy=no-user-gesture-required"),
]
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowRight": 39}


class Browser:
    """One page of a browser of its own, with a profile that is thrown away; `heard` is a WAV file, what its microphone
    hears again and again."""

    def __init__(self, profile, heard=None):
        microphone = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
        microphone += (f"--use-file-for-fake-audio-capture={heard}",) if heard else ()
        self._process = subprocess.Popen(
            [PROGRAM, *OPTIONS, *microphone, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        written = profile / "DevToolsActivePort"
        lines = wait(lambda: written.exists() and len(found := written.read_text().split()) == 2 and found, 60)
        self._open = contextlib.ExitStack()
        self._socket = self._open.enter_context(connect(f"ws://127.0.0.1:{lines[0]}{lines[1]}", max_size=2**26))
        self._numbers, self._session = itertools.count(1), None
        self.errors = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        """End the browser."""
        self._open.close()
        self._process.terminate()
        self._process.wait(20)

    def call(self, method, **parameters):
        """One command and its answer; errors of the page are collected meanwhile."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            heard = json.loads(self._socket.recv(60))
            if heard.get("method") == "Runtime.exceptionThrown":
                self.errors.append(heard["params"]["exceptionDetails"])
            elif heard.get("method") == "Log.entryAdded" and heard["params"]["entry"]["level"] == "error":
                self.errors.append(heard["params"]["entry"])
            elif heard.get("id") == number:
                assert "error" not in heard, heard
                return heard["result"]

    def run(self, expression):
        """The value of a JavaScript expression in the page; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def choose(self, css, path):
        """Choose a file in an input."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=document, selector=css)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=found, files=[str(path)])

    def open(self, address, room):
        """Go to a page and wait until a room of it is shown."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        self.until(f"document.documentElement?.dataset.room === {json.dumps(room)}")

    def until(self, expression, seconds=20):
        """Wait until an expression is true, and give its value."""
        return wait(lambda: self.run(expression), seconds, expression)

    def press(self, key, times=1):
        """Press a key, as a person does."""
        text = {"Enter": "\r", " ": " "}.get(key)
        for _ in range(times):
            code = {"key": key, "windowsVirtualKeyCode": KEYS[key]}
            self.call("Input.dispatchKeyEvent", type="keyDown", **code, **({"text": text} if text else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def write(self, text):
        """Type a text where the focus is."""
        for sign in text:
            self.call("Input.dispatchKeyEvent", type="char", text="\r" if sign == "\n" else sign)

    def look(self, width=1100, height=800, scheme="light"):
        """The size of the window, and light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path):
        """The whole page as a PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


def wait(ready, seconds, what=""):
    """What `ready` gives, once it is true."""
    until = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < until, f"not within {seconds} seconds: {what}"
        time.sleep(0.05)
    return found
