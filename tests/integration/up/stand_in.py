"""`up` with stand-ins: a tiny HTTP server for the pool, sleepers for the workers. Arguments: folder, port, trouble.

The roles pool, worker and engine are this same script, so that the test can find and count them by their command line.
"""

import asyncio
import http.server
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from iamine.child import dies_with_parent
from iamine.cli import tell
from iamine.errors import IamineError
from iamine.local import Address
from iamine.supervisor import Service
from iamine.up import Up


def service(
    name: str, data_dir: Path, *arguments: str, stop_wait_s: float = 3.0, final: frozenset[int] = frozenset()
) -> Service:
    return Service(
        name=name,
        command=(sys.executable, __file__, str(data_dir), name.split("-")[0], *arguments),
        log_file=data_dir / "logs" / f"{name}.log",
        cwd=data_dir,
        stop_wait_s=stop_wait_s,
        final_codes=final,
    )


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "mote", "x_iamine": {"workers": 1}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def pool(data_dir: Path, port: str, trouble: str) -> None:
    if trouble == "refuse":
        print("error: port 1 is in use\ntry: --port 2", file=sys.stderr)
        sys.exit(2)
    server = http.server.HTTPServer(("127.0.0.1", int(port)), Answers)
    (data_dir / "client.json").write_text(json.dumps({"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "im_k_s"}))
    print("ERROR of the stand-in, to be seen", file=sys.stderr, flush=True)
    server.serve_forever()


def worker(data_dir: Path, trouble: str) -> None:
    if trouble == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    engine = [sys.executable, __file__, str(data_dir), "engine"]
    subprocess.Popen([*dies_with_parent(signal.SIGKILL), *engine]).wait()


def up(data_dir: Path, port: str, trouble: str) -> int:
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    workers = [service(f"worker-{n}", data_dir, trouble, stop_wait_s=1.0) for n in (1, 2)]
    the_pool = service("pool", data_dir, port, trouble, final=frozenset({2}))
    try:
        return asyncio.run(Up(Address(host="127.0.0.1", port=int(port)), data_dir, the_pool, workers).run())
    except IamineError as error:
        return tell(error)


folder, role, *rest = Path(sys.argv[1]), sys.argv[2], *sys.argv[3:]
match role:
    case "pool":
        pool(folder, *rest)
    case "worker":
        worker(folder, *rest)
    case "engine":
        time.sleep(3600)
    case "up":
        sys.exit(up(folder, *rest))
