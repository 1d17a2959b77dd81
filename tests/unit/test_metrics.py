import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from liveness.metrics import Metrics
from liveness.verdict import Reason
from tests.store_worker import VERDICT

WORKER = """
import sys
from pathlib import Path
from liveness.metrics import Metrics, share
share(Path(sys.argv[1]), int(sys.argv[2]))
metrics = Metrics()
metrics.workers.set(1)
metrics.stage("decode", 0.001 * (1 + int(sys.argv[2])))
sys.stdout.buffer.write(metrics.text())
"""


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Every number, by its name and the values of its labels."""
    families = text_string_to_metric_families(text.decode())
    return {
        (each.name, *sorted(each.labels.values())): each.value
        for family in families
        for each in family.samples
    }


def test_stages_and_ends_are_counted_apart() -> None:
    metrics = Metrics()
    for seconds in (0.0002, 0.002, 0.02):
        metrics.stage("decode", seconds)
    metrics.stage("compare", 0.1)
    metrics.finish(VERDICT.model_copy(update={"reasons": (Reason.TIME_LIMIT, Reason.FACE_LOST)}))
    found = samples(metrics.text())
    assert found["liveness_stage_seconds_count", "decode"] == 3
    assert found["liveness_stage_seconds_bucket", "0.0025", "decode"] == 2
    assert found["liveness_stage_seconds_sum", "compare"] == 0.1
    assert found["liveness_sessions_finished_total", "incomplete", "time_limit"] == 1


def test_workers_count_together(tmp_path: Path) -> None:
    for slot in range(3):
        command = [sys.executable, "-c", WORKER, str(tmp_path), str(slot)]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603 - ours
    found = samples(text)
    assert found["liveness_stage_seconds_count", "decode"] == 3
    assert round(found["liveness_stage_seconds_sum", "decode"], 6) == 0.006
