"""The others: LiteLLM's proxy, nginx and a hand-written aiohttp proxy, each before the mock, as one process each.

What they need is installed outside the project: virtual environments under a folder for caches, nginx by Debian.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from relay_parts.processes import Target, environment, free_port, running, wait_until_listening

CACHE = Path(os.environ.get("IAMINE_BENCH_CACHE", Path(tempfile.gettempdir()) / "iamine-bench"))
KEY = "sk-bench"
PACKAGES = {"litellm": ["litellm[proxy]"], "aiohttp": ["aiohttp", "uvloop"], "xllamacpp": ["xllamacpp==2026.10.11549"]}

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
  scgi_temp_path {folder}/e;
  upstream mock {{ server 127.0.0.1:{mock}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000000;
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""

LITELLM = """
model_list:
{models}
general_settings: {{ master_key: {key} }}
litellm_settings: {{ num_retries: 0, request_timeout: 120, telemetry: false }}
"""
ONE_MODEL = """- model_name: {name}
  litellm_params: {{ model: openai/{name}, api_base: "http://127.0.0.1:{mock}/v1", api_key: none }}"""


def installed(name: str) -> Path | None:
    """The Python of the peer's own environment, made when it is missing; None when it cannot be."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    done = folder / ".done"
    if done.exists():
        return python
    print(f"installing {', '.join(PACKAGES[name])} into {folder}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES[name]], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"{name} is left out: {error}", file=sys.stderr)
        return None
    done.touch()
    return python


@contextlib.contextmanager
def mock(folder: Path) -> Iterator[Target]:
    """The mock server that all peers relay."""
    port, log = free_port(), folder / "mock.log"
    with running([sys.executable, "-m", "relay_parts.mock", str(port)], log) as process:
        wait_until_listening(port, process, log)
        yield Target(name="direct", port=port, key=KEY, pid=process.pid)


@contextlib.contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Target | None]:
    """One worker process, keep-alive to the mock."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        print("nginx is left out: not installed (Debian: apt-get install nginx-light)", file=sys.stderr)
        yield None
        return
    port, log, config = free_port(), folder / "nginx.out", folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, mock=behind, port=port))
    with running([program, "-p", str(folder), "-c", str(config)], log) as process:
        wait_until_listening(port, process, log)
        yield Target(name="nginx", port=port, key=KEY, pid=process.pid)


@contextlib.contextmanager
def aiohttp(folder: Path, behind: int) -> Iterator[Target | None]:
    """The hand-written one."""
    python = installed("aiohttp")
    if python is None:
        yield None
        return
    port, log = free_port(), folder / "aiohttp.log"
    script = str(Path(__file__).with_name("aiohttp_proxy.py"))
    with running([str(python), script, str(port), f"http://127.0.0.1:{behind}", KEY], log) as process:
        wait_until_listening(port, process, log)
        yield Target(name="aiohttp", port=port, key=KEY, pid=process.pid)


@contextlib.contextmanager
def litellm(folder: Path, behind: int, models: tuple[str, ...]) -> Iterator[Target | None]:
    """LiteLLM's proxy with one process and a master key, without a database."""
    python = installed("litellm")
    if python is None:
        yield None
        return
    port, log, config = free_port(), folder / "litellm.log", folder / "litellm.yaml"
    listed = "\n".join(ONE_MODEL.format(name=name, mock=behind) for name in models)
    config.write_text(LITELLM.format(models=listed, key=KEY))
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environ = environment() | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_PROXY": "127.0.0.1"}
    environ.pop("PYTHONPATH")
    with running([*command, "--num_workers", "1"], log, environ) as process:
        wait_until_listening(port, process, log)
        yield Target(name="litellm", port=port, key=KEY, pid=process.pid)
