"""Links to the newest sweep, the newest run, and the charts of all runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gdexp.core import StorageFailed
from gdexp.tracking import chart_views, configure_mlflow_process

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run


@dataclass(frozen=True)
class Link:
    """A page of the UI.

    Attributes:
        what: the kind of page.
        name: the name of the sweep, run or view.
        address: the page's address.
    """

    what: str
    name: str
    address: str


def newest_links(uri: str, experiment: str) -> list[Link]:
    """Return links to the newest pages of a server.

    Args:
        uri: the server's address. User and password are used, but not shown.
        experiment: the MLflow experiment. There are no links when it does not exist yet.

    Raises:
        StorageFailed: the server does not answer as MLflow does.
    """
    configure_mlflow_process()
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
    """Return an address without user, password and query, fit to be shown and opened."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _links(client: MlflowClient, experiment: Experiment, base: str) -> list[Link]:
    number = str(experiment.experiment_id)
    links = []
    sweep = _newest_run(client, number, "tags.`gdexp.kind` = 'sweep'")
    if sweep is not None:
        parent = str(sweep.info.run_id)
        has_view = chart_views.view_tag(parent) in experiment.tags
        link = chart_views.children_link if has_view else chart_views.run_link
        links.append(Link("newest sweep", str(sweep.info.run_name), base + link(number, parent)))
    run = _newest_run(client, number, chart_views.SINGLE_RUNS)
    if run is not None:
        page = chart_views.run_link(number, str(run.info.run_id))
        links.append(Link("newest run", str(run.info.run_name), base + page))
        if chart_views.runs_view_tag() in experiment.tags:
            links.append(Link("all runs", "loss curves", base + chart_views.runs_link(number)))
    return links


def _newest_run(client: MlflowClient, experiment: str, condition: str) -> Run | None:
    found = client.search_runs(
        [experiment], condition, order_by=["attributes.start_time DESC"], max_results=1
    )
    return found[0] if found else None
