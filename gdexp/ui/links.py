"""What a person wants to look at first: the newest sweep, the newest run, all runs."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gdexp.core import StorageFailed
from gdexp.tracking import chart_views

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

MOST_SECONDS = "20"
"""For one answer of a server; MLflow's own patience is minutes."""


@dataclass(frozen=True)
class Link:
    """Something to open.

    Attributes:
        what: which kind of thing it is.
        name: its own name.
        address: where a browser finds it.
    """

    what: str
    name: str
    address: str


def newest(uri: str, experiment: str) -> list[Link]:
    """Links to what there is, on the server itself.

    Args:
        uri: the server's address; user and password are used and not shown.
        experiment: the MLflow experiment; there are no links when it is not there yet.

    Raises:
        StorageFailed: the server does not answer as MLflow does.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", MOST_SECONDS)
    warnings.filterwarnings("ignore", module=r"mlflow\.")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=uri)
    base = without_user(uri).rstrip("/")
    try:
        found = client.get_experiment_by_name(experiment)
        return [] if found is None else _links(client, found, f"{base}/#")
    except MlflowException as error:
        reason = str(error).strip().splitlines()[0]
        raise StorageFailed(f"{base} does not answer as MLflow's server: {reason}") from error


def without_user(uri: str) -> str:
    """An address as it can be opened and shown: no user, no password, no query."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _links(client: MlflowClient, experiment: Experiment, base: str) -> list[Link]:
    number = str(experiment.experiment_id)
    links = []
    sweep = _newest(client, number, "tags.`gdexp.kind` = 'sweep'")
    if sweep is not None:
        parent = str(sweep.info.run_id)
        viewed = chart_views.view_tag(parent) in experiment.tags
        place = (
            chart_views.children_link(number, parent)
            if viewed
            else chart_views.run_link(number, parent)
        )
        links.append(Link("newest sweep", str(sweep.info.run_name), base + place))
    run = _newest(client, number, chart_views.SINGLE_RUNS)
    if run is not None:
        place = chart_views.run_link(number, str(run.info.run_id))
        links.append(Link("newest run", str(run.info.run_name), base + place))
        if chart_views.runs_view_tag() in experiment.tags:
            links.append(Link("all runs", "loss curves", base + chart_views.runs_link(number)))
    return links


def _newest(client: MlflowClient, experiment: str, condition: str) -> Run | None:
    found = client.search_runs(
        [experiment], condition, order_by=["attributes.start_time DESC"], max_results=1
    )
    return found[0] if found else None
