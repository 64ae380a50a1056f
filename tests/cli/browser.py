"""Chromium without a window, told what to do over the DevTools protocol: messages of JSON through two pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Enough for all tests of a module on a busy machine; a browser that hangs must not hold them up for ever.
SECONDS = 240.0


def find_chromium() -> str:
    """The first on the PATH."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found is not None, f"this test needs a Chromium on the PATH, as one of {', '.join(NAMES)}"
    return found


class Page:
    """A page that is open in the browser; `messages` is what it has written to the console, or failed to load."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._session: str | None = None
        self._last = 0
        self._rest = b""
        self._loaded = False
        self.messages: list[str] = []
        self.requests: list[str] = []

    def attach(self) -> None:
        """Take over the empty page of a browser that has just started."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "result" in answer, answer
                return answer["result"]

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            received = os.read(self._answers, 1 << 16)
            assert received, "the browser has ended"
            self._rest += received
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        self._note(message.get("method"), message.get("params"))
        return message

    def _note(self, method: str | None, event: Any) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.messages.append(f"console.{event['type']}: {event['args']}")
        elif method == "Runtime.exceptionThrown":
            self.messages.append(f"exception: {event['exceptionDetails']}")
        elif method == "Log.entryAdded":
            self.messages.append(f"log: {event['entry']['text']}")

    def open(self, path: Path, width: int, dark: bool) -> None:
        """Load a file in a window of this width."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.ask("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._next()

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, as JSON."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A browser with an empty page; it ends with the block, at the latest after some minutes."""
    read_commands, commands = os.pipe()
    answers, write_answers = os.pipe()
    # The sandbox needs rights that containers withhold; the pages are our own.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    # The browser reads commands from descriptor 3 and writes answers to 4.
    program = 'exec 5<&"$1" 6>&"$2"; exec 3<&5 4>&6 5<&- 6>&-; shift 2; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", program, "bash", str(read_commands), str(write_answers), find_chromium(), *options],
        pass_fds=(read_commands, write_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read_commands)
    os.close(write_answers)
    too_late = threading.Timer(SECONDS, process.kill)
    too_late.start()
    try:
        page = Page(commands, answers)
        page.attach()
        yield page
        page._session = None
        page.ask("Browser.close")
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        too_late.cancel()
        os.close(commands)
        os.close(answers)
