"""Run as a program: a search on a Ray cluster of two workers, of which one ends in the middle of a trial."""

import json
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from longshort.study import Budget, tune
from longshort.training import Progress

SMALL = {"object_store_memory": 80_000_000}


class Said(Progress):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def main(data, run, settings, search, trials):
    cluster = Cluster(initialize_head=True, head_node_args={**SMALL, "num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1, **SMALL) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    journal, said = Path(run) / "checkpoints" / "trials.jsonl", Said()

    def kill():
        """One of two workers, when both have looked."""
        while not journal.exists() or journal.read_text().count('"intermediate_value"') < 6:
            time.sleep(0.01)
        cluster.remove_node(nodes[0], allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    budget = Budget(trials=trials, workers=2, engine="ray", again=0, prune=False)
    tune("forecast", data, settings, search=search, budget=budget, run=run, progress=said)
    alive = sum(node["Alive"] for node in ray.nodes())
    print(json.dumps({"notes": said.notes, "alive": alive}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    data, run, rest = sys.argv[1:]
    main(data, run, **json.loads(rest))
