"""Opens a document through the second door with pycrdt's own provider, appends a text, and waits for another to appear."""

import sys

import anyio
from httpx_ws import aconnect_ws
from pycrdt import Doc, Provider, Text
from pycrdt.websocket.websocket import HttpxWebsocket


async def main(url: str, mine: str, theirs: str) -> None:
    doc = Doc()
    source = doc.get("source", type=Text)
    async with aconnect_ws(url) as websocket, Provider(doc, HttpxWebsocket(websocket, "source")) as provider:
        with anyio.fail_after(15):
            await provider.synced.wait()
            source += mine
            while theirs not in str(source):
                await anyio.sleep(0.02)


anyio.run(main, *sys.argv[1:])
