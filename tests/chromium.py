"""A headless Chromium driven through its DevTools protocol, by way of tornado, which ipykernel brings."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType

from tornado.websocket import websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = f"no page is opened: none of {', '.join(NAMES)} works here (apt-get install chromium)"
# --no-sandbox: root has none; the pages are our own, and requests to anywhere else are answered with nothing
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
PATIENCE = 60  # seconds for an answer; a machine that is busy training is slow


def find() -> str | None:
    """The program of a Chromium or Chrome that works on this machine, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name)) and works(found)), None)


def works(program: str) -> bool:
    """Whether it opens an empty page: Ubuntu's `chromium-browser` may be a notice, and a snap sees no such folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", "about:blank"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and any(Path(profile).iterdir())


class Chromium:
    """One browser with one tab: `async with Chromium(program, folder) as tab: await tab.send("Page.enable")`.

    Everything that the page makes happen is kept in `events`, as (method, parameters), until `events` is emptied. A
    request that `Fetch.enable` holds is answered with nothing.
    """

    def __init__(self, program: str, profile: Path) -> None:
        """`profile`: an empty folder for what the browser writes."""
        self.program, self.profile = program, profile
        self.events: list[tuple[str, dict]] = []
        self.answers: dict[int, asyncio.Future] = {}
        self.sent = 0

    async def __aenter__(self) -> "Chromium":
        self.process = subprocess.Popen(
            [self.program, *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={self.profile}", "about:blank"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a browser is many processes: they end together
        )
        port = await self._port()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE) as answer:
            tab = next(target for target in json.load(answer) if target["type"] == "page")
        self.socket = await websocket_connect(tab["webSocketDebuggerUrl"], max_message_size=2**28)
        self.reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.cancel()
        self.socket.close()
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(PATIENCE)

    async def _port(self) -> int:
        told = self.profile / "DevToolsActivePort"
        for _ in range(PATIENCE * 10):
            if told.exists() and (lines := told.read_text().split()):
                return int(lines[0])
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{self.program} did not start within {PATIENCE} s")

    async def _read(self) -> None:
        while (text := await self.socket.read_message()) is not None:
            message = json.loads(text)
            if message.get("method") == "Fetch.requestPaused":
                # at once, whatever else is waited for: a held request keeps its page from being left
                await self._write("Fetch.fulfillRequest", requestId=message["params"]["requestId"], responseCode=200)
            elif "id" in message:
                if answer := self.answers.pop(message["id"], None):
                    answer.set_result(message)
            else:
                self.events.append((message["method"], message["params"]))

    async def _write(self, method: str, answer: asyncio.Future | None = None, /, **parameters: object) -> None:
        self.sent += 1
        if answer:
            self.answers[self.sent] = answer
        await self.socket.write_message(json.dumps({"id": self.sent, "method": method, "params": parameters}))

    async def send(self, method: str, **parameters: object) -> dict:
        """The result of a DevTools command; RuntimeError where the browser refuses it."""
        answer = asyncio.get_running_loop().create_future()
        await self._write(method, answer, **parameters)
        message = await asyncio.wait_for(answer, PATIENCE)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    async def value(self, script: str) -> object:
        """What a JavaScript expression gives in the page."""
        told = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return told["result"].get("value")

    async def until(self, method: str) -> dict:
        """The parameters of the first event of this name since `events` was emptied, as soon as there is one."""
        for _ in range(PATIENCE * 50):
            for name, parameters in self.events:
                if name == method:
                    return parameters
            await asyncio.sleep(0.02)
        raise TimeoutError(f"the page sent no {method} within {PATIENCE} s")

    async def press(self, key: str) -> None:
        """One key, pressed and released: `Tab` or `Enter`."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)
