"""`python -m services.api`: the gateway under uvicorn, with bounds on headers, idle connections and its own end."""

import signal
from types import FrameType

import uvicorn

from services.api.app import create_app
from services.api.gateway import Gateway
from shared.settings import Settings
from shared.telemetry import configure_logging


class Server(uvicorn.Server):
    """Answers whoever waits for a job as soon as it is told to stop, so that stopping takes no long poll's time."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT."""
        gateway: Gateway = self.config.app.state.gateway  # type: ignore[union-attr]
        if self.config.loaded:
            gateway.watcher.close()
        super().handle_exit(signal.Signals(sig), frame)


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    configure_logging(settings, "api")
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,  # addresses hold ids; the metrics count requests
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws="none",
        h11_max_incomplete_event_size=32 * 2**10,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
        limit_concurrency=4000,
    )
    Server(config).run()


if __name__ == "__main__":
    main()
