"""`python -m services.api`: the gateway under uvicorn, with bounds on headers, idle connections and its own end."""

import gc
from types import FrameType

import uvicorn

from services.api.app import create_app
from services.api.gateway import Gateway
from services.api.protocol import Protocol
from shared.faults import arm
from shared.settings import Settings
from shared.telemetry import configure_logging


class Server(uvicorn.Server):
    """Answers whoever waits for a job as soon as it is told to stop, so that stopping takes no long poll's time.

    uvicorn would raise the signal again at the end, and a clean stop would look like a crash: exit code 0 instead.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Handle SIGTERM and SIGINT; the second one does not wait for open requests."""
        gateway: Gateway = self.config.app.state.gateway  # type: ignore[union-attr]
        gateway.close_watchers()
        self.force_exit = self.should_exit
        self.should_exit = True


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    configure_logging(settings, "api")
    arm(settings.fault)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,  # addresses hold ids; the metrics count requests
        log_config=None,
        server_header=False,
        proxy_headers=False,
        http=Protocol,
        ws="none",
        h11_max_incomplete_event_size=32 * 2**10,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
        limit_concurrency=4000,
    )
    gc.freeze()  # what was imported stays: a collection that looked through it would hold everybody for 0.1 s
    Server(config).run()


if __name__ == "__main__":
    main()
