"""The proxy before real engines: each fault is what it says, and passing changes nothing."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
import redis
from sqlalchemy.engine import make_url

from infra.embedded import Engines
from shared.settings import Settings
from tests.chaos.proxy import Proxy, Wires


@pytest.fixture
def wires() -> Iterator[Wires]:
    with Wires() as running:
        yield running


@pytest.fixture
def postgres(wires: Wires, settings: Settings) -> tuple[Proxy, str]:
    """A proxy, and the address of the test's database through it."""
    url = make_url(settings.database_url.get_secret_value())
    proxy = wires.proxy(url.port or 0)
    through = url.set(drivername="postgresql", port=proxy.port)
    return proxy, through.render_as_string(hide_password=False)


@pytest.fixture
def valkey(wires: Wires, engines: Engines) -> Iterator[tuple[Proxy, redis.Redis]]:
    url = make_url(engines.redis_url)
    proxy = wires.proxy(url.port or 0)
    with redis.Redis(port=proxy.port, password=url.password, socket_timeout=3, retry=None) as client:
        yield proxy, client


def test_what_passes_is_unchanged(postgres: tuple[Proxy, str]) -> None:
    with psycopg.connect(postgres[1]) as connection:
        assert connection.execute("SELECT repeat('x', 1000000)").fetchone() == ("x" * 1_000_000,)


def test_a_cut_ends_connections_and_takes_new_ones(postgres: tuple[Proxy, str]) -> None:
    proxy, url = postgres
    with psycopg.connect(url) as connection:
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(0.3)")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_who_is_refused_gets_no_connection(postgres: tuple[Proxy, str]) -> None:
    proxy, url = postgres
    proxy.refusing = True
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=3)


def test_a_commit_whose_answer_is_lost_has_happened(postgres: tuple[Proxy, str]) -> None:
    proxy, url = postgres
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE seen (number int)")
    proxy.lose_commits(1)
    with pytest.raises(psycopg.OperationalError), psycopg.connect(url) as connection:
        connection.execute("INSERT INTO seen VALUES (7)")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM seen").fetchall() == [(7,)]
    assert proxy.lost_answers == 1


def test_who_hangs_connects_and_hears_nothing_until_it_is_over(valkey: tuple[Proxy, redis.Redis]) -> None:
    proxy, client = valkey
    assert client.ping()
    proxy.hang()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    proxy.heal()
    assert client.ping()


def test_a_message_can_be_lost_between_taking_and_remembering(valkey: tuple[Proxy, redis.Redis]) -> None:
    proxy, client = valkey
    struck = threading.Event()
    client.delete("work", "remembered")
    client.zadd("remembered", {"other": 1})
    proxy.at_pop(struck.set)
    client.zadd("remembered", {"before any pop": 1})
    client.lpush("work", "message")
    assert client.brpop(["work"]) is not None
    with pytest.raises(redis.ConnectionError):
        client.zadd("remembered", {"message": 1})
    assert struck.is_set()
    assert client.llen("work") == 0
    assert client.zscore("remembered", "message") is None


def test_a_delay_holds_up_every_piece(valkey: tuple[Proxy, redis.Redis]) -> None:
    proxy, client = valkey
    assert client.ping()
    proxy.delay = 0.4
    began = time.monotonic()
    assert client.ping()
    assert time.monotonic() - began >= 0.4
