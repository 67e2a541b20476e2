"""The panel's big buttons: what they say, what that means, and the switch of faults.py that they turn."""

from dataclasses import dataclass

from sandbox.stripe.wire import Json


@dataclass(frozen=True)
class Preset:
    words: str
    means: str
    wish: Json


# Twice where the SDK tries a second time by itself, or Foyer would not notice anything.
PRESETS = {
    "lose": Preset(
        "Lose the next answer",
        "Stripe does what Foyer asks, but Foyer never hears of it.",
        {"op": "*", "mode": "drop_after", "times": 2, "by": "server"},
    ),
    "lose-capture": Preset(
        "Lose the answer to the next capture",
        "The money is taken, and Foyer cannot know.",
        {"op": "payment_intents.capture", "mode": "drop_after", "times": 2, "by": "server"},
    ),
    "cut": Preset(
        "Cut the next call",
        "The connection breaks before anything is done.",
        {"op": "*", "mode": "drop_before", "times": 2, "by": "server"},
    ),
    "error": Preset(
        "Answer the next call with an error, although it was done",
        "A 500 that lies: the effect is there.",
        {"op": "*", "mode": "500_after", "times": 2, "by": "server"},
    ),
    "hang": Preset(
        "Let the next call hang",
        "Done at once, answered after a minute.",
        {"op": "*", "mode": "hang", "seconds": 60, "by": "server"},
    ),
    "late": Preset(
        "Do the next call late",
        "Nothing for 15 seconds; it happens when Foyer has given up waiting.",
        {"op": "*", "mode": "late", "seconds": 15, "by": "server"},
    ),
    "busy": Preset(
        "Too many requests, five times",
        "Stripe answers 429 and does nothing.",
        {"op": "*", "mode": "429", "times": 5, "by": "server"},
    ),
    "slow": Preset(
        "At most five calls a second",
        "Stripe refuses what comes faster.",
        {"op": "*", "mode": "rate", "per_second": 5},
    ),
    "down-minute": Preset(
        "Stripe is down for a minute",
        "Nobody gets through, buyers' pages neither; then it comes back.",
        {"op": "*", "mode": "down", "seconds": 60},
    ),
    "down": Preset(
        "Stripe is down until I say so",
        "“Everything back to normal” ends it.",
        {"op": "*", "mode": "down"},
    ),
}
