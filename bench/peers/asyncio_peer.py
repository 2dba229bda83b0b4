"""The workloads on asyncio, or on uvloop where BENCH_RUNNER=uvloop: asyncio_peer.py switch."""

import asyncio
import gc
import logging
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

RUNNER = os.environ.get("BENCH_RUNNER", "asyncio")
BUDGET = 0.25
MOST = 15

sleep = asyncio.sleep
create_task = asyncio.create_task


def report(name, value):
    print(f"{name} {RUNNER} {value:.1f}", flush=True)


async def measure(ops, fn, *args):
    gc.collect()
    start = time.process_time()
    await fn(*args)
    return (time.process_time() - start) * 1e9 / ops


async def repeated(name, ops, fn, *args):
    await fn(*args)
    samples = []
    begun = time.process_time()
    while not samples or (time.process_time() - begun < BUDGET and len(samples) < MOST):
        samples.append(await measure(ops, fn, *args))
    report(name, statistics.median_low(samples))


def rss():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


async def switch():
    switches = 400_000

    async def body(turns):
        for _ in range(turns):
            await sleep(0)

    async def run(count):
        tasks = [create_task(body(switches // count)) for _ in range(count)]
        for task in tasks:
            await task

    for count in (2, 1000):
        await repeated(f"switch_{count}", switches, run, count)


async def spawn():
    tasks = 200_000

    async def body(x):
        return x

    async def run():
        total = 0
        for i in range(tasks):
            total += await create_task(body(i))

    await repeated("spawn", tasks, run)


async def batch(count, body, *args):
    """Makes count tasks of body, keeps none of them, and waits for the last."""
    left = count
    done = asyncio.get_running_loop().create_future()

    async def entry():
        nonlocal left
        await body(*args)
        left -= 1
        if left == 0:
            done.set_result(True)

    for _ in range(count):
        create_task(entry())
    await done


async def spawn_batch():
    report("spawn_batch", await measure(200_000, batch, 200_000, sleep, 0))


async def flat(tasks="1000"):
    tasks = int(tasks)
    report(f"flat_{tasks}", await measure(tasks, batch, tasks, sleep, 0))
    report(f"flat_again_{tasks}", await measure(tasks, batch, tasks, sleep, 0))


async def park(place="future"):
    tasks = 100_000
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    gates = []
    event = asyncio.Event()
    parked = 0
    left = tasks
    resident = 0

    def count_ended():
        nonlocal left
        left -= 1
        if left == 0:
            done.set_result(True)

    async def on_future():
        nonlocal parked
        parked += 1
        gate = loop.create_future()
        gates.append(gate)
        await gate
        count_ended()

    async def on_event():
        nonlocal parked
        parked += 1
        await event.wait()
        count_ended()

    async def on_sleep():
        nonlocal parked
        parked += 1
        await sleep(1.5)
        count_ended()

    body = {"future": on_future, "event": on_event, "sleep": on_sleep}[place]

    async def run():
        nonlocal resident
        for _ in range(tasks):
            create_task(body())
        while parked < tasks:
            await sleep(0)
        resident = rss()
        event.set()
        for gate in gates:
            gate.set_result(True)
        await done

    before = rss()
    cost = await measure(tasks, run)
    if place != "sleep":
        report(f"park_{place}", cost)
    report(f"park_{place}_rss", (resident - before) / tasks)


async def timers():
    tasks = 100_000
    random.seed(42)

    async def body():
        await sleep(random.random())

    report("timers", await measure(tasks, batch, tasks, body))


async def timers_cancel():
    times = 100_000

    async def body():
        await sleep(0)

    async def with_timeout():
        for _ in range(times):
            async with asyncio.timeout(10):
                await sleep(0)

    async def with_wait_for():
        for _ in range(times):
            await asyncio.wait_for(body(), 10)

    if hasattr(asyncio, "timeout"):
        await repeated("timeout", times, with_timeout)
    await repeated("wait_for", times, with_wait_for)


async def future():
    handovers = 200_000
    create_future = asyncio.get_running_loop().create_future

    async def run():
        waiting = None

        async def player():
            nonlocal waiting
            for i in range(handovers // 2):
                mine, other = create_future(), waiting
                waiting = mine
                if other is not None:
                    other.set_result(i)
                await mine
            if not waiting.done():
                waiting.set_result(0)

        a, b = create_task(player()), create_task(player())
        await a
        await b

    await repeated("future", handovers, run)


async def queue():
    items = 300_000

    async def run(count):
        passage = asyncio.Queue(100)

        async def produce():
            for i in range(items // count):
                await passage.put(i)

        async def consume():
            for _ in range(items // count):
                await passage.get()

        tasks = [create_task(produce()) for _ in range(count)]
        tasks += [create_task(consume()) for _ in range(count)]
        for task in tasks:
            await task

    for count in (1, 10):
        await repeated(f"queue_{count}p{count}c", items, run, count)


async def lock():
    tasks, acquisitions = 100, 200_000

    async def run():
        mutex = asyncio.Lock()

        async def body():
            for _ in range(acquisitions // tasks):
                async with mutex:
                    await sleep(0)

        for task in [create_task(body()) for _ in range(tasks)]:
            await task

    await repeated("lock", acquisitions, run)


async def gather():
    tasks, times = 1000, 100

    async def body():
        return 1

    async def run():
        for _ in range(times):
            await asyncio.gather(*[create_task(body()) for _ in range(tasks)])

    await repeated("gather", tasks * times, run)


async def as_completed():
    tasks, times = 1000, 100

    async def body():
        return 1

    async def run():
        for _ in range(times):
            total = 0
            for task in asyncio.as_completed([create_task(body()) for _ in range(tasks)]):
                total += await task

    await repeated("as_completed", tasks * times, run)


async def log():
    calls = 50_000
    logger = logging.getLogger("bench.log")
    logging.basicConfig(
        level="INFO",
        stream=open("/dev/null", "w", encoding="ascii"),
        format="%(asctime)s %(levelname)s %(name)s %(filename)s:%(lineno)d %(message)s",
    )

    async def disabled():
        for i in range(calls):
            logger.debug("%s took %d", "it", i)

    async def enabled():
        for i in range(calls):
            logger.info("%s took %d", "it", i)

    await repeated("log_disabled", calls, disabled)
    await repeated("log_enabled", calls, enabled)


def nothing():
    pass


def compute(steps):
    total = 0
    for i in range(1, steps + 1):
        total += i % 7
    return total


async def least(name, ops, fn, *args, cpu=False):
    await fn(*args)
    best = best_cpu = float("inf")
    for _ in range(5):
        start, start_cpu = time.perf_counter(), time.process_time()
        await fn(*args)
        best = min(best, time.perf_counter() - start)
        best_cpu = min(best_cpu, time.process_time() - start_cpu)
    report(name, best * 1e9 / ops)
    if cpu:
        report(name + "_cpu", best_cpu * 1e9 / ops)


async def executor():
    loop = asyncio.get_running_loop()
    rounds, batch_size, steps = 3000, 10000, 500000

    async def one_by_one():
        for _ in range(rounds):
            await loop.run_in_executor(None, nothing)

    async def batch(pool):
        futures = [loop.run_in_executor(pool, nothing) for _ in range(batch_size)]
        for fut in futures:
            await fut

    async def cpu(pool):
        await asyncio.gather(*[loop.run_in_executor(pool, compute, steps) for _ in range(4)])

    await least("executor_round", rounds, one_by_one, cpu=True)
    with ThreadPoolExecutor(4) as pool:
        await least("executor_batch", batch_size, batch, pool, cpu=True)
    for threads in 1, 2:
        with ThreadPoolExecutor(threads) as pool:
            # a tenth of the steps, given for as many as the others do
            await least(f"executor_cpu{threads}", 4 / 10, cpu, pool, cpu=True)


def idle_memory():
    with open("/proc/self/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024


def meet(_):
    time.sleep(0.2)
    return os.getpid(), idle_memory()


def text_of(size):
    return "x" * size


async def processes():
    loop = asyncio.get_running_loop()
    rounds, batch_size, megabytes, workers = 2000, 10000, 100, 4

    async def one_by_one():
        for _ in range(rounds):
            await loop.run_in_executor(pool, nothing)

    async def batch():
        futures = [loop.run_in_executor(pool, nothing) for _ in range(batch_size)]
        for fut in futures:
            await fut

    async def send():
        assert await loop.run_in_executor(pool, len, text) == len(text)

    async def give_back():
        assert len(await loop.run_in_executor(pool, text_of, len(text))) == len(text)

    with ProcessPoolExecutor(2) as pool:
        await least("processes_round", rounds, one_by_one)
        await least("processes_batch", batch_size, batch)
        text = "0123456789abcdef" * (megabytes << 16)
        await least("processes_send", megabytes, send)
        await least("processes_return", megabytes, give_back)
    del text
    with ProcessPoolExecutor(workers) as pool:
        found = await asyncio.gather(*[loop.run_in_executor(pool, meet, i) for i in range(workers)])
        assert len({pid for pid, _ in found}) == workers
        report("processes_idle", sum(memory for _, memory in found) / workers)


def count_words(text):
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def count_lines(lines):
    counts = {}
    for line in lines:
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
    return counts


def merge_counts(total, counts):
    for word, n in counts.items():
        total[word] = total.get(word, 0) + n


def count_with_counter(text):
    return Counter(text.split())


async def mapreduce():
    megabytes, chunk = 200, 4
    words, seed, size = [], 1, 0
    while size < chunk << 20:
        seed = (seed * 1103515245 + 12345) % 2147483648
        words.append(f"word{seed // 65536 % 5000}")
        size += len(words[-1]) + 1
    first = " ".join(words)
    del words
    chunks = [f"{first} last{i}" for i in range(1, megabytes // chunk + 1)]

    start = time.perf_counter()
    expected = {}
    for text in chunks:
        merge_counts(expected, count_words(text))
    report("mapreduce_one", (time.perf_counter() - start) * 1e9)

    start = time.perf_counter()
    counted = Counter()
    for text in chunks:
        counted.update(text.split())
    report("mapreduce_counter_one", (time.perf_counter() - start) * 1e9)
    assert counted == expected

    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2) as pool:
        await loop.run_in_executor(pool, count_words, "")
        start = time.perf_counter()
        total = {}
        for future in [loop.run_in_executor(pool, count_words, text) for text in chunks]:
            merge_counts(total, await future)
        report("mapreduce", (time.perf_counter() - start) * 1e9)
        assert total == expected

        await loop.run_in_executor(pool, count_with_counter, "")
        start = time.perf_counter()
        total = Counter()
        for future in [loop.run_in_executor(pool, count_with_counter, text) for text in chunks]:
            total.update(await future)
        report("mapreduce_counter", (time.perf_counter() - start) * 1e9)
        assert total == expected

        words = first.split()
        lines = [" ".join(words[i : i + 10]) for i in range(0, len(words), 10)]
        start = time.perf_counter()
        total = {}
        for future in [loop.run_in_executor(pool, count_lines, lines) for _ in range(13)]:
            merge_counts(total, await future)
        report("mapreduce_lines", (time.perf_counter() - start) * 1e9)


async def process():
    children = 160
    megabytes = 100
    start = asyncio.create_subprocess_exec

    async def run(count):
        for _ in range(count):
            child = await start("/bin/true")
            await child.wait()

    async def together():
        await asyncio.gather(*[run(children // 16) for _ in range(16)])

    data = b"0123456789abcdef" * (megabytes << 16)

    async def cat():
        child = await start("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate(data)
        assert len(out) == len(data)

    await least("process", children, run, children)
    await least("process_16", children, together)
    await least("process_cat", megabytes, cat)


async def datagram():
    trips, burst = 5000, 100
    data = b"x" * 64
    loop = asyncio.get_running_loop()

    async def sockets():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for one in (server, client):
            one.setblocking(False)
        server.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())

        async def serve():
            while True:
                got, address = await loop.sock_recvfrom(server, 65536)
                await loop.sock_sendto(server, got, address)

        async def run():
            for _ in range(trips):
                await loop.sock_sendall(client, data)
                await loop.sock_recv(client, 65536)

        async def run_burst():
            for _ in range(trips // burst):
                for _ in range(burst):
                    await loop.sock_sendall(client, data)
                for _ in range(burst):
                    await loop.sock_recv(client, 65536)

        serving = create_task(serve())
        await repeated("datagram", trips, run)
        await repeated("datagram_burst", trips, run_burst)
        serving.cancel()

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, got, address):
            self.transport.sendto(got, address)

    class Client(Server):
        def datagram_received(self, got, address):
            self.left -= 1
            if self.left > 0:
                self.transport.sendto(got)
            else:
                self.over.set_result(None)

    server, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    client, protocol = await loop.create_datagram_endpoint(
        Client, remote_addr=server.get_extra_info("sockname")
    )

    async def run_protocols():
        protocol.over, protocol.left = loop.create_future(), trips
        client.sendto(data)
        await protocol.over

    # uvloop has no datagrams for tasks
    if RUNNER == "asyncio":
        await sockets()
    await repeated("datagram_protocol", trips, run_protocols)
    client.close()
    server.close()


async def files():
    """Line by line as aiofiles does it: a job for each call."""
    count, at_once, lines = 10000, 100, 2_000_000

    def read_file(name):
        with open(name, "rb") as file:
            return file.read()

    async def one_by_one():
        for i in range(count):
            await asyncio.to_thread(read_file, f"{directory}/{i}")

    async def many():
        names = iter(range(count))

        async def reader():
            for i in names:
                await asyncio.to_thread(read_file, f"{directory}/{i}")

        await asyncio.gather(*[reader() for _ in range(at_once)])

    async def line():
        loop = asyncio.get_running_loop()
        with open(path, "rb") as file:
            for _ in range(lines // 100):
                await loop.run_in_executor(None, file.readline)

    def read_batch(file):
        return file.readlines(65536)

    async def line_batch():
        with open(path, "rb") as file:
            while batch := await asyncio.to_thread(read_batch, file):
                for _ in batch:
                    pass

    with tempfile.TemporaryDirectory() as directory:
        for i in range(count):
            with open(f"{directory}/{i}", "wb") as file:
                file.write(b"x" * 100)
        path = f"{directory}/lines"
        with open(path, "wb") as file:
            file.write(b"fifteen bytes..\n" * lines)
        await least("files_read_seq", count, one_by_one)
        await least("files_read_many", count, many)
        await least("files_line", lines // 100, line)
        await least("files_line_batch", lines, line_batch)


async def startup():
    pass


WORKLOADS = {
    fn.__name__: fn
    for fn in (
        switch,
        spawn,
        spawn_batch,
        flat,
        park,
        timers,
        timers_cancel,
        future,
        queue,
        lock,
        gather,
        as_completed,
        log,
        executor,
        processes,
        mapreduce,
        process,
        datagram,
        files,
        startup,
    )
}

if __name__ == "__main__":
    if sys.argv[1] not in WORKLOADS:
        sys.exit(3)
    if RUNNER == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(WORKLOADS[sys.argv[1]](*sys.argv[2:]))
