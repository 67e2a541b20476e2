"""Properties: the same examples in every run, no clock that could fail them, nothing left in the folder."""

from hypothesis import settings

settings.register_profile("foyer", max_examples=50, deadline=None, derandomize=True, database=None)
settings.load_profile("foyer")
