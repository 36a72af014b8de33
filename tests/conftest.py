"""How long the property tests look: HYPOTHESIS_PROFILE=quick (if left out) or long."""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=300, derandomize=True)
settings.register_profile("long", max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
