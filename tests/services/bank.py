"""What banks and people at the provider do to refunds and disputes, by hand."""

from tests.conftest import StripeSandbox


async def decide(stripe: StripeSandbox, thing: str, verb: str, **form: object) -> dict:
    """A refund: succeed, fail, cancel. A dispute: win, lose."""
    kind = "disputes" if thing.startswith("du_") else "refunds"
    answer = await stripe._client.post(f"/_sandbox/{kind}/{thing}/{verb}", json=form)
    return answer.raise_for_status().json()
