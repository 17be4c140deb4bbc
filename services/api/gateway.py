"""What one gateway process holds: settings, the engine, the blob store, the doorbell, the watcher."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from services.api import admission
from services.api.aborts import Aborts
from services.api.admission import Admission
from services.api.bulk import ends
from services.api.cards import Actives, Cards
from services.api.drift.rolling import Rolling
from services.api.followed import Followed
from services.api.looks import Looks
from services.api.paces import Paces
from services.api.rates import Rates
from services.api.repeated import Repeated
from services.api.retrainer import Retrainer
from services.api.upkeep import Upkeep
from services.api.watch import Watcher
from services.api.webhooks.dispatch import Dispatcher
from shared.db.engine import async_engine, single_engine
from shared.db.quick import Quick
from shared.db.statements import training
from shared.queue import Waker, celery_app
from shared.settings import Settings
from shared.storage import BlobStore


@dataclass
class Gateway:
    """Made by `create_app`; `start` and `stop` belong to the application's lifespan."""

    settings: Settings
    engine: AsyncEngine = field(init=False)
    single: AsyncEngine = field(init=False)
    quick: Quick = field(init=False)
    store: BlobStore = field(init=False)
    watcher: Watcher = field(init=False)
    run_watcher: Watcher = field(init=False)
    cards: Cards = field(init=False)
    actives: Actives = field(init=False)
    paces: Paces = field(init=False)
    looks: Looks = field(init=False)
    admission: Admission = field(init=False)
    rates: Rates = field(init=False)
    followed: Followed = field(init=False)
    _waker: Waker | None = None

    def __post_init__(self) -> None:
        self.engine = async_engine(self.settings)
        self.single = single_engine(self.settings)
        self.quick = Quick(self.single)
        self.store = BlobStore(self.settings.blob_dir)
        self.watcher = Watcher(self.engine)
        self.run_watcher = Watcher(self.engine, training.ended)
        self.cards = Cards()
        self.actives = Actives()
        self.paces = Paces(self.quick)
        self.looks = Looks(self.engine, self.single, self.cards, self.settings.base_url)
        self.admission = Admission(self.settings, self.engine)
        self.rates = Rates(self.settings)
        self.followed = Followed(self.engine)
        self._tasks = self._repeated()
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    def start(self) -> None:
        """Start the doorbell's thread, and what is done again and again."""
        self._waker = Waker(celery_app(self.settings))
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """Let every waiting request answer, ring what is pending, close every connection."""
        self.close_watchers()
        for task in self._tasks:
            await task.stop()
        if self._waker is not None:
            self._waker.close()
        await self.engine.dispose()
        await self.single.dispose()

    def close_watchers(self) -> None:
        """Answer whoever waits as things are now; nobody waits any more."""
        self.watcher.close()
        self.run_watcher.close()

    def begin(self) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction: `async with gateway.begin() as session` commits at the end or rolls back."""
        return self._sessions.begin()

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement that only reads: no BEGIN, no COMMIT."""
        async with self.single.connect() as connection:
            yield connection

    def wake(self, modality: str) -> None:
        """Tell the workers, after the commit, that there is work."""
        if self._waker is not None:
            self._waker.wake(modality)

    def _repeated(self) -> "list[Repeated | Dispatcher]":
        settings, engine = self.settings, self.engine
        return [
            Repeated("admission", self.admission.look, 1.0, admission.SHARE),
            Repeated("upkeep", Upkeep(settings, engine).look, 600.0),
            Repeated("rolling", Rolling(settings, engine).turn, settings.drift_every_s),
            Repeated("batch ends", partial(ends.look, engine), 1.0),
            Repeated("aborts", Aborts(settings, engine).look, settings.canary_look_s),
            Repeated("retrainer", Retrainer(settings, engine, self.wake).look, settings.retraining_look_s),
            Dispatcher(settings, engine),
        ]


def of(request: Request) -> Gateway:
    """The gateway that serves this request."""
    gateway: Gateway = request.app.state.gateway
    return gateway
