"""The proxy that one would write in an afternoon: aiohttp on both sides, bytes passed on as they come.

PYTHON aiohttp_proxy.py PORT UPSTREAM_URL KEY       (its own virtual environment: aiohttp, uvloop)
"""

import sys

import uvloop
from aiohttp import ClientSession, TCPConnector, web

PORT, UPSTREAM, KEY = sys.argv[1:]
SESSION = web.AppKey("session", ClientSession)


async def relay(request: web.Request) -> web.StreamResponse:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return web.json_response({"error": {"message": "wrong key"}}, status=401)
    body = await request.read()
    headers = {"content-type": "application/json"}
    async with request.app[SESSION].post(UPSTREAM + request.path, data=body, headers=headers) as answer:
        kind = answer.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            return web.Response(body=await answer.read(), status=answer.status, headers={"content-type": kind})
        response = web.StreamResponse(status=answer.status, headers={"content-type": kind})
        await response.prepare(request)
        async for data in answer.content.iter_any():
            await response.write(data)
        await response.write_eof()
        return response


async def session(app: web.Application):  # type: ignore[no-untyped-def]
    app[SESSION] = ClientSession(connector=TCPConnector(limit=0))
    yield
    await app[SESSION].close()


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", relay)
    app.router.add_get("/", lambda _: web.Response(text="ok"))
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(PORT), print=None, access_log=None, backlog=4096)


if __name__ == "__main__":
    main()
