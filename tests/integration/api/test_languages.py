"""Answers in the caller's language, also where many are answered together; what is stored stays English."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from shared.sentences import ZH, say
from tests.integration.api.support import Api, submitted

CHINESE = {"Accept-Language": "zh-CN"}


def test_who_is_answered_together_is_answered_in_his_own_language(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    detail = say("image_too_small", width=20, height=10, minimum=64)
    api.set_state(job, "rejected", code="image_too_small", detail=detail)

    def asked(number: int) -> str:
        answer = client.get(f"/v1/jobs/{job}", headers=CHINESE if number % 2 else {})
        return str(answer.json()["error"]["detail"])

    with ThreadPoolExecutor(16) as threads:
        said = list(threads.map(asked, range(32)))
    assert set(said[0::2]) == {detail}
    assert set(said[1::2]) == {ZH["image_too_small"].format(width=20, height=10, minimum=64)}


def test_a_result_and_its_notes(api: Api, client: httpx.Client) -> None:
    job = submitted(client)
    quality = [{"code": "quality.quiet", "text": say("quality.quiet", dbfs=-41.2), "values": {"dbfs": -41.2}}]
    api.finish(job, quality=quality)
    english = client.get(f"/v1/jobs/{job}").json()["result"]
    chinese = client.get(f"/v1/jobs/{job}", headers=CHINESE).json()["result"]
    assert english["quality"] == quality
    assert chinese["quality"][0]["text"] == ZH["quality.quiet"].format(dbfs=-41)
    assert chinese["sentence"].endswith("并非诊断。")
    assert english["probability"] == chinese["probability"]


def test_a_refused_item_is_stored_in_english(api: Api, client: httpx.Client) -> None:
    line = b'{"sha256": "' + b"0" * 64 + b'", "modality": "cough"}\n'
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "one", **CHINESE}
    receipt = client.post("/v1/batches", content=line, headers=headers).json()
    assert receipt["errors"][0]["detail"] == ZH["input_unknown"]
    assert client.get(f"/v1/batches/{receipt['id']}").json()["errors"][0]["detail"] == say("input_unknown")
    shown = client.get(f"/v1/batches/{receipt['id']}", headers=CHINESE).json()
    assert shown["errors"][0]["detail"] == ZH["input_unknown"]
