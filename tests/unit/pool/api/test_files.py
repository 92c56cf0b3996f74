"""Workers are sent to the operator's file server, for files by their hash only."""

import httpx
import pytest
from fakes.poolserver import served

from pool.api.settings import Settings

SHA = "ab" * 32


async def test_a_worker_is_sent_to_the_file_server_without_a_key() -> None:
    settings = Settings(files_url="http://10.0.0.9:8019/models/")
    async with served(settings) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        for method in ("GET", "HEAD"):
            reply = await http.request(method, f"/v1/files/{SHA}/model-Q4.gguf")
            assert (reply.status_code, reply.headers["location"]) == (307, f"http://10.0.0.9:8019/models/{SHA}/model-Q4.gguf")


@pytest.mark.parametrize(
    "path",
    [f"{SHA}/model.txt", f"{SHA}/.x.gguf", f"{SHA.upper()}/x.gguf", "ab/x.gguf", f"{SHA}/a%0d%0ab.gguf", f"{SHA}/%2e%2e.gguf"],
)
async def test_what_is_no_model_file_is_not_found(path: str) -> None:
    async with served(Settings(files_url="http://h")) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        assert (await http.get(f"/v1/files/{path}")).status_code == 404


async def test_a_pool_without_a_file_server_has_no_files() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        reply = await http.get(f"/v1/files/{SHA}/model.gguf")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")
