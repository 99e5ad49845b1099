"""NATS: a worker, and a client: `with_nats.py core|jetstream worker|throughput|latency TASKS ADDRESS`.

Core: a task is a message to a group of workers with an inbox for the answer. JetStream: a task is a message of a stream that
is acknowledged when it is on disk; a worker says when it is done, and tells the client, too.
"""

import asyncio
import sys
import time

import nats
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

import measured

SUBJECT, GROUP, DONE = "tasks", "workers", "done"
# Messages of JetStream that a client has under way.
WINDOW = 1_000


async def main():
    kind, operation, tasks, address = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    client = await nats.connect(address)
    if operation == "worker":
        await (work if kind == "core" else work_from_stream)(client)
        print("ready", flush=True)
        await asyncio.Event().wait()
    peer = (Core if kind == "core" else Stream)(client)
    await peer.begin()
    await peer.many(1)
    if operation == "latency":
        measured.waits([await timed(peer.one()) for _ in range(tasks)])
    else:
        measured.rate(tasks, await timed(peer.many(tasks)))
    await client.close()


async def timed(waited):
    begun = time.perf_counter()
    await waited
    return time.perf_counter() - begun


async def work(client):
    async def answer(message):
        await client.publish(message.reply, b"")
    await client.subscribe(SUBJECT, queue=GROUP, cb=answer)


async def work_from_stream(client):
    stream = client.jetstream()
    await stream.add_stream(StreamConfig(name=SUBJECT, subjects=[SUBJECT], storage=StorageType.FILE,
                                         retention=RetentionPolicy.WORK_QUEUE))

    async def answer(message):
        await message.ack()
        await client.publish(DONE, b"")
    await stream.subscribe(SUBJECT, queue=GROUP, cb=answer, manual_ack=True,
                           config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=WINDOW))


class Core:
    def __init__(self, client):
        self.client, self.inbox = client, client.new_inbox()
        self.missing, self.done = 0, asyncio.Event()

    async def begin(self):
        await self.client.subscribe(self.inbox, cb=self.answered)

    async def answered(self, _message):
        self.missing -= 1
        if self.missing == 0:
            self.done.set()

    async def many(self, tasks):
        self.missing = tasks
        self.done.clear()
        for _ in range(tasks):
            await self.client.publish(SUBJECT, b"", reply=self.inbox)
        await self.done.wait()

    async def one(self):
        await self.client.request(SUBJECT, b"", timeout=60)


class Stream(Core):
    def __init__(self, client):
        super().__init__(client)
        self.inbox, self.stream = DONE, client.jetstream()

    async def many(self, tasks):
        self.missing = tasks
        self.done.clear()
        window = asyncio.Semaphore(WINDOW)

        async def publish():
            async with window:
                await self.stream.publish(SUBJECT, b"", timeout=60)
        await asyncio.gather(*(publish() for _ in range(tasks)))
        await self.done.wait()

    async def one(self):
        await self.many(1)


if __name__ == "__main__":
    asyncio.run(main())
