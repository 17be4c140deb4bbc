"""Webhooks: signed as the standard says, and the documentation's example tells true from false."""

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.api.webhooks import signing
from tests.integration.api.support import Api
from tests.integration.api.webhooks.support import add, came
from tests.support.receiver import Receiver


def test_both_secrets_sign_during_a_rotation(
    api: Api, admin: httpx.Client, hook: Receiver, verify: Callable[..., Any]
) -> None:
    made = add(admin, hook.url)
    path = f"/v1/webhooks/{made['id']}"
    fresh = admin.post(f"{path}/secret").json()["secret"]
    admin.post(f"{path}/test")
    came(hook)
    for secret in (made["secret"], fresh):
        assert verify(secret, hook.messages[0].headers, hook.messages[0].body)
    api.execute("UPDATE webhooks SET old_until = now()")
    admin.post(f"{path}/test")
    came(hook, 2)
    assert verify(fresh, hook.messages[1].headers, hook.messages[1].body)
    with pytest.raises(ValueError, match="signature"):
        verify(made["secret"], hook.messages[1].headers, hook.messages[1].body)


def test_the_vector_of_the_standard() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_tampered_with_or_old_is_not_believed(verify: Callable[..., Any]) -> None:
    secret, body, now = signing.new_secret(), b'{"type":"x"}', int(time.time())
    shown, good = signing.shown(secret), signing.headers("msg_1", now, body, [secret])
    assert verify(shown, good, body) == {"type": "x"}
    old = signing.headers("msg_1", now - 301, body, [secret])
    early = signing.headers("msg_1", now + 301, body, [secret])
    for headers, sent in (
        (good, b'{"type":"y"}'),
        ({**good, "webhook-id": "msg_2"}, body),
        ({**good, "webhook-timestamp": str(now + 1)}, body),
        ({**good, "webhook-signature": ""}, body),
        ({**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}, body),
        (signing.headers("msg_1", now, body, [signing.new_secret()]), body),
        (old, body),
        (early, body),
    ):
        with pytest.raises(ValueError, match=r"signature|old"):
            verify(shown, headers, sent)
    assert hmac.compare_digest(shown[:6], "whsec_")
