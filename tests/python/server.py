"""A real `lyceum serve` on ports of its own, with its data in a folder of the test, and tokens for it."""

import datetime
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

from livekit import api

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SERVER_BINARY", ROOT / "target" / "debug" / "lyceum"))
API_KEY, API_SECRET = "devkey", "secret"
START_TIMEOUT_S = 60
# It promises ten seconds; the rest is for a busy machine.
STOP_TIMEOUT_S = 30


class Server:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.http_port = _free_port()
        self.tcp_port = _free_port()
        self.http_url = f"http://127.0.0.1:{self.http_port}"
        self.ws_url = f"ws://127.0.0.1:{self.http_port}"
        self.log_path = folder / "server.log"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(BINARY), "serve", "--dev"],
                env=os.environ | {
                    "LYCEUM_HTTP_BIND": f"127.0.0.1:{self.http_port}",
                    "LYCEUM_MEDIA_UDP_PORT": "0",
                    "LYCEUM_MEDIA_TCP_BIND": f"127.0.0.1:{self.tcp_port}",
                    "LYCEUM_STORE_DIR": str(self.folder / "data"),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log_path.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Ends the server as a power cut would: nothing is flushed or said."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Asks the server to end, and gives its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log(self) -> str:
        return self.log_path.read_text()

    def _is_ready(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.http_url}/readyz", timeout=1).status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def token(
    identity: str = "", *, ttl_s: int = 3600, secret: str = API_SECRET, name: str = "", attributes=None,
    kind: str = "standard", **grants,
) -> str:
    """An access token signed by LiveKit's own library; `grants` as in its `VideoGrants`."""
    made = (
        api.AccessToken(API_KEY, secret)
        .with_identity(identity)
        .with_name(name)
        .with_kind(kind)
        .with_ttl(datetime.timedelta(seconds=ttl_s))
        .with_grants(api.VideoGrants(**grants))
    )
    if attributes:
        made = made.with_attributes(attributes)
    return made.to_jwt()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
