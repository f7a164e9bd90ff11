"""Settings of all tests."""

import os

from hypothesis import settings

# The same examples in every run; `HYPOTHESIS_PROFILE=random make test` looks for new ones.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("random", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
