"""The service keeps to its own description, whatever schemathesis makes of that: no 5xx, no answer of another form."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sounds import file_of
from test_transcribe_estimator import spoken

from longshort.serve import create_app

schemathesis = pytest.importorskip("schemathesis")
QUICK = {"phases": [Phase.explicit, Phase.generate], "suppress_health_check": list(HealthCheck)}
EXAMPLES = 15


@pytest.mark.filterwarnings("ignore::DeprecationWarning:schemathesis", "ignore::DeprecationWarning:jsonschema")
def test_every_operation(runs):
    served = [run for name, run in runs.items() if name not in ("words", "subwords", "rolls", "live")]
    sounds = [file_of(spoken(["ding"], np.random.default_rng(0)), kind) for kind in ("wav", "flac", "ogg")]
    for kind in ("audio/wav", "audio/flac", "audio/ogg"):
        schemathesis.openapi.media_type(kind, st.sampled_from(sounds) | st.binary(max_size=200))
    # A body may be of the right form and yet of no use to this run: a start that lies off its grid, a blank turn.
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(served, local=False))
    tested = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, derandomize=True, database=None, **QUICK)
        @given(case=operation.as_strategy())
        def keeps_to_it(case):
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        keeps_to_it()
        tested.append(operation.label)
    assert {
        "POST /runs/forecast/predict",
        "POST /runs/chat/reply",
        "POST /runs/transcribe/predict",
        "POST /runs/compose/compose",
        "GET /runs",
    } <= set(tested)
