"""A page in headless Chromium, for tests of what a reader's browser makes of it."""

import asyncio
import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest


class Tab:
    """One page in headless Chromium, spoken to over its debugging protocol.

    Attributes:
        shows: what holds on the page once it is ready, in JavaScript.
        said: what the page reported so far.
    """

    shows = "true"

    def __init__(self, page: Path, profile: Path) -> None:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not found:
            pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
        quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        self.process = subprocess.Popen(
            [found, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}",
             "--remote-debugging-port=0", "about:blank"], stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        address = next(line for line in self.process.stderr if "DevTools listening on" in line).split("//")[1]
        self.loop = asyncio.new_event_loop()
        with urllib.request.urlopen(f"http://{address.split('/')[0]}/json/list", timeout=30) as reply:
            target = next(t for t in json.load(reply) if t["type"] == "page")
        self.loop.run_until_complete(self._open(target["webSocketDebuggerUrl"]))
        self.said: list[dict] = []
        self.number = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=page.as_uri())
        self.wait(f"document.readyState === 'complete' && {self.shows}")

    async def _open(self, url: str) -> None:
        from tornado.websocket import websocket_connect

        self.socket = await websocket_connect(url, max_message_size=50_000_000)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Send one command and wait for its result; what the page says meanwhile is kept in `said`."""
        self.number += 1
        return self.loop.run_until_complete(asyncio.wait_for(self._call(self.number, method, given), 60))

    async def _call(self, number: int, method: str, given: dict[str, Any]) -> dict[str, Any]:
        await self.socket.write_message(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            message = json.loads(await self.socket.read_message())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.said.append(message)

    def run(self, script: str) -> Any:
        """The value of a script on the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a condition holds on the page."""
        script = f"new Promise((done, no) => {{let n = 0; const t = setInterval(() => {{ if ({condition}) {{"
        self.run(script + "clearInterval(t); done(1); } else if (++n > 600) no('never') }, 50); })")

    def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    def asked(self) -> list[str]:
        """Addresses outside this machine's files that the page asked for."""
        sent = [m["params"]["request"]["url"] for m in self.said if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("file://", "about:", "data:"))]

    def errors(self) -> list[dict]:
        """What the console complained of."""
        return [m for m in self.said if m["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]

    def screen(self, width: int, **media: str) -> None:
        """Show the page on a screen of this width, or printed (`media="print"`), or in the dark (`dark="dark"`)."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = [{"name": "prefers-color-scheme", "value": media.get("dark", "light")}]
        self.call("Emulation.setEmulatedMedia", media=media.get("media", ""), features=scheme)

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stderr.close()
        self.loop.close()
