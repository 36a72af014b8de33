"""How long the property tests look: HYPOTHESIS_PROFILE=quick (if left out), long or mutation (see docs/mutation.md)."""

import os

from hypothesis import Phase, settings

# Without deadlines: how fast a machine is, is nothing a test may hang on.
settings.register_profile("quick", max_examples=300, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=5000, deadline=None)
# A mutant is caught by the first failure: no time goes into shrinking it.
settings.register_profile("mutation", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
