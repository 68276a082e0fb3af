"""Celery: a worker and its caller; a task, a chain, a group, and a retry."""

import sys

from celery import Celery, chain, group
from celery.contrib.testing.worker import start_worker

host = sys.argv[1]
app = Celery("shop", broker=f"redis://{host}:6379/0", backend=f"redis://{host}:6379/1")
app.conf.update(broker_connection_retry_on_startup=True, result_backend_transport_options={"socket_timeout": 10})


@app.task
def add(left, right):
    return left + right


@app.task(bind=True, default_retry_delay=0)
def shaky(self):
    if self.request.retries < 1:
        raise self.retry()
    return self.request.retries


with start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"):
    print(add.delay(2, 3).get(timeout=20))
    print(chain(add.s(1, 1), add.s(10))().get(timeout=20))
    print(group(add.s(n, n) for n in range(5))().get(timeout=20))
    print(shaky.delay().get(timeout=20))
