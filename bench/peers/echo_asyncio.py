"""The echo benchmark's server over asyncio's streams; uvloop's with the argument "uvloop"."""
import asyncio
import sys


async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(0, over.set_result, None)
    await over


if "uvloop" in sys.argv:
    import uvloop
    uvloop.install()
asyncio.run(main())
