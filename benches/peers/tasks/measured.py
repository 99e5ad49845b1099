"""What each client in Python prints: a line of JSON."""

import json
import time


def rate(tasks, seconds):
    print(json.dumps({"per_second": tasks / seconds}))


def latencies(one, tasks):
    """One task after another, each asked when the one before is back."""
    seconds = []
    for _ in range(tasks):
        begun = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - begun)
    waits(seconds)


def waits(seconds):
    seconds.sort()
    p50, p99 = (seconds[int(len(seconds) * share)] * 1e3 for share in (0.5, 0.99))
    print(json.dumps({"p50_ms": p50, "p99_ms": p99}))
