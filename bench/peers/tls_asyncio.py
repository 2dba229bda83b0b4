"""The server of the benchmarks of TLS, echo|sink|source CERTIFICATE [MEGABYTES], over asyncio's streams."""
import asyncio
import ssl
import sys

PIECE = b"x" * 65536
mode, certificate = sys.argv[1:3]
megabytes = int(sys.argv[3]) if sys.argv[3:] else 0


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


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(globals()[mode], "127.0.0.1", 0, backlog=1024, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(0, over.set_result, None)
    await over


asyncio.run(main())
