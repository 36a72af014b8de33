"""How long the property tests look: HYPOTHESIS_PROFILE=quick (if left out), long or mutation (see docs/mutation.md)."""

import os

from hypothesis import Phase, settings

settings.register_profile("quick", max_examples=300, derandomize=True)
settings.register_profile("long", max_examples=5000)
# A mutant is caught by the first failure: no time goes into shrinking it, and none is lost to a slow machine.
settings.register_profile("mutation", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
