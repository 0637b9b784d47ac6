"""The list of models, as OpenAI's client reads it."""

import openai
import pytest
from openai import OpenAI

from tests.gateway.api.conftest import Gateway


def test_the_aliases_and_the_own_embedder_are_listed_with_their_windows(gateway: Gateway) -> None:
    models = gateway.openai().models.list().data
    assert [model.id for model in models] == ["small", "unpriced", "hasty", "all-MiniLM-L6-v2"]
    assert {model.owned_by for model in models} == {"tollgate"}
    assert (models[0].model_dump()["max_model_len"], models[-1].model_dump()["max_model_len"]) == (4096, 256)


def test_one_model(gateway: Gateway) -> None:
    assert gateway.openai().models.retrieve("small").id == "small"


@pytest.mark.parametrize("name", ["tiny", "org/tiny", "../small", "%00"])
def test_an_unknown_model_is_not_found_and_the_known_ones_are_named(gateway: Gateway, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        gateway.openai().models.retrieve(name)
    assert missing.value.code == "model_not_found"
    assert "small" in missing.value.message


def test_a_key_sees_the_models_it_may_use_and_no_others(gateway: Gateway) -> None:
    scopes = {"models": ["un*", "hasty"]}
    made = gateway.admin("POST", "/keys", json={"tenant": gateway.tenant(), "scopes": scopes}).json()
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=made["key"], max_retries=0, http_client=gateway.http)
    assert [model.id for model in client.models.list().data] == ["unpriced", "hasty"]
    assert client.models.retrieve("unpriced").id == "unpriced"
    for name in ("small", "tiny"):  # it is not told which of them exists
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.models.retrieve(name)
        assert refused.value.code == "not_allowed"
        assert "may use un*, hasty" in refused.value.message
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("unknown")
    assert "small" not in missing.value.message
