"""The server of the benchmarks of streams, echo|sink|source|lines [MEGABYTES [CERTIFICATE]], over asyncio's streams;
with uvloop's loop if the last argument is "uvloop"."""
import asyncio
import ssl
import sys

PIECE = b"x" * 65536
mode = sys.argv[1]
megabytes = int(sys.argv[2]) if sys.argv[2:3] and sys.argv[2].isdigit() else 0
certificate = sys.argv[3] if sys.argv[3:] and sys.argv[3] != "uvloop" else None


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def sink(reader, writer):
    left = megabytes << 20
    while left > 0 and (data := await reader.read(262144)):
        left -= len(data)
    writer.write(b".")
    writer.close()


async def source(reader, writer):
    for _ in range(megabytes * 16):
        writer.write(PIECE)
        await writer.drain()
    writer.close()


async def lines(reader, writer):
    while await reader.readline():
        pass
    writer.write(b".")
    writer.close()


async def main():
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    server = await asyncio.start_server(globals()[mode], "127.0.0.1", 0, backlog=1024, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(0, over.set_result, None)
    await over


if sys.argv[-1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main())
