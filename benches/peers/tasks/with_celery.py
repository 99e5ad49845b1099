"""Celery: the task that its worker knows (`celery -A with_celery worker`), and a client: `with_celery.py OPERATION TASKS`.

The environment says where Redis is: it carries both tasks and results.
"""

import os
import sys
import time

from celery import Celery

import measured

AT = os.environ["PEER_AT"]
WAIT = 600

app = Celery("with_celery", broker=AT, backend=AT)
app.conf.broker_connection_retry_on_startup = True


@app.task(name="nothing")
def nothing():
    return None


def main():
    operation, tasks = sys.argv[1], int(sys.argv[2])
    nothing.delay().get(timeout=WAIT)
    if operation == "latency":
        measured.latencies(lambda: nothing.delay().get(timeout=WAIT), tasks)
        return
    begun = time.perf_counter()
    results = [nothing.delay() for _ in range(tasks)]
    for result in results:
        result.get(timeout=WAIT)
    measured.rate(tasks, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
