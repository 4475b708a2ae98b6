"""Python processes that reach this machine alone: as `sitecustomize` it refuses every other address, and notes it."""

import os
import socket
import sys
from pathlib import Path

HERE = ("127.", "::1", "localhost", "0.0.0.0")


def environment(folder: Path) -> dict[str, str]:
    """What makes all Python processes that are started with it so; `attempts` reads what they tried."""
    (folder / "sitecustomize.py").write_text(Path(__file__).read_text("utf-8"), "utf-8")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "BLOCKED_SOCKETS": str(folder / "attempts.txt")}


def attempts(folder: Path) -> str:
    """Addresses that were tried, a line each; "" where there was none."""
    path = folder / "attempts.txt"
    return path.read_text("utf-8") if path.exists() else ""


def _guard(function):
    def guarded(first, *given, **named):
        local = isinstance(first, socket.socket) and first.family == getattr(socket, "AF_UNIX", None)
        address = given[-1] if isinstance(first, socket.socket) and given else first
        host = address[0] if isinstance(address, tuple) else address
        host = host.decode() if isinstance(host, bytes) else host
        if not local and isinstance(host, str) and host not in ("", socket.gethostname()) and not host.startswith(HERE):
            with open(os.environ["BLOCKED_SOCKETS"], "a", encoding="utf-8") as file:
                file.write(f"{address} by {' '.join(sys.argv[:3])}\n")
            raise OSError(f"{address}: only this machine may be reached here")
        return function(first, *given, **named)

    return guarded


if __name__ == "sitecustomize":
    for _name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, _name, _guard(getattr(socket.socket, _name)))
    socket.getaddrinfo = _guard(socket.getaddrinfo)
