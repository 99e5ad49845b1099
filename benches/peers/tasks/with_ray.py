"""A client of Ray: `with_ray.py OPERATION TASKS ADDRESS`. Its workers are processes, one for each CPU of the cluster."""

import sys
import time

import ray

import measured

# Tasks before the clock runs, so that workers have begun.
WARM = 200


@ray.remote
def nothing():
    return None


def main():
    operation, tasks, address = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    ray.init(address=address, log_to_driver=False, logging_level="error")
    ray.get([nothing.remote() for _ in range(WARM)])
    if operation == "latency":
        measured.latencies(lambda: ray.get(nothing.remote()), tasks)
        return
    begun = time.perf_counter()
    ray.get([nothing.remote() for _ in range(tasks)])
    measured.rate(tasks, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
