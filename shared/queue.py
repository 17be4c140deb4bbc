"""Celery on Redis as a doorbell: a message says "there is work". Losing one costs seconds, never a job."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType

import structlog
from celery import Celery, signals
from kombu import Queue  # type: ignore[attr-defined]
from kombu.exceptions import OperationalError
from redis import RedisError

from shared.faults import fault
from shared.settings import Settings

WORK_TASK = "thoracle.work"
TRAIN_TASK = "thoracle.train"
TRAINING = "training"  # the queue of training runs, and what to call `Waker.wake` with
_LISTEN_AGAIN_S = 5.0
_GATHER_S = 0.05  # a message is work for both ends; a worker that is busy looks again by itself
_log = structlog.get_logger()


def queue_name(modality: str) -> str:
    """The Celery queue of one modality."""
    return f"work.{modality}"


def celery_app(settings: Settings) -> Celery:
    """The Celery application: JSON only, ids only, results ignored, acknowledged early (the row is the truth)."""
    app = Celery("thoracle", broker=settings.redis_url.get_secret_value())
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_queues=_queues(settings),
        task_default_queue=queue_name(settings.served[0]),
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_acquire_timeout=2,
        broker_transport_options={
            # A restored duplicate is one more harmless doorbell; these keep half-open connections from lasting.
            "visibility_timeout": 3600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        timezone="UTC",
        enable_utc=True,
    )
    return app


def _queues(settings: Settings) -> list[Queue]:
    return [Queue(queue_name(modality)) for modality in settings.served]  # type: ignore[no-untyped-call]


def listen(app: Celery, queues: Sequence[str], name: str) -> None:
    """Run the application's tasks on this thread, one at a time, until SIGTERM or Ctrl-C.

    Celery ends over an error of Redis that it does not know (a full one's, say). The process must not, for it finds
    work without Redis: it listens again.
    """
    told = threading.Event()

    def tell(**_: object) -> None:
        told.set()

    def leave(_signal: int, _frame: FrameType | None) -> None:
        told.set()
        raise SystemExit(0)  # Celery takes it for an end of its own and returns

    signals.worker_shutting_down.connect(tell, weak=False)
    for number in (signal.SIGTERM, signal.SIGINT):  # until Celery has set up its own
        signal.signal(number, leave)
    # prefork could not start the sandbox's children; solo keeps the straight line.
    options = ["--pool=solo", f"--queues={','.join(queues)}", "--loglevel=WARNING", f"--hostname={name}@%h"]
    while not told.is_set():
        app.worker_main(["worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])
        if not told.is_set():
            _log.warning("doorbell_ended")
            told.wait(_LISTEN_AGAIN_S)


class Waker:
    """Rings the doorbell off the request path: one thread, coalesced per modality, each attempt bounded in time.

    The first ring goes out at once; under load those of the next moment go out as one, and none while one lies there
    unheard. So no more than one waits for workers that are busy or away, and none has to grow too old.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._pending: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
        self._thread.start()

    def wake(self, modality: str) -> None:
        """Ask for a message soon; returns at once."""
        with self._changed:
            self._pending.add(modality)
            self._changed.notify()

    def close(self) -> None:
        """Send what is pending, once, and stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._closing.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._stopping)
                modalities, self._pending = self._pending, set()
            for modality in sorted(modalities):
                self._send(modality)
            if self._stopping and not self._pending:
                return
            self._closing.wait(_GATHER_S)

    def _send(self, modality: str) -> None:
        try:
            fault("waker.sending")
            task, queue = (TRAIN_TASK, TRAINING) if modality == TRAINING else (WORK_TASK, queue_name(modality))
            if not self._rings(queue):
                self._app.send_task(task, queue=queue, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            # The row is committed; an idle worker looks by itself.
            _log.warning("wake_failed", modality=modality, error=type(error).__name__)
        except Exception:  # noqa: BLE001 — a thread that ends here would never ring again, and nobody would know
            _log.exception("wake_broken", modality=modality)

    def _rings(self, queue: str) -> bool:
        """Whether a message lies there that nobody took: whoever takes it looks afterwards and sees this work too."""
        with self._app.producer_pool.acquire(block=True) as producer:
            return bool(producer.connection.default_channel.client.llen(queue))
