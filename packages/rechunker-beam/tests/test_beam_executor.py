"""`BeamExecutor` passes the suite in this process and on a Dask cluster."""

from __future__ import annotations

import pytest
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from rechunker.testing import EndingTests, ExecutorTests, Patient, Watched
from rechunker.testing.contract import ContractTests
from rechunker_beam import BeamExecutor


class Noting(FnApiRunner):  # type: ignore[misc]
    """A runner that records the names of its jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[str] = []

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        self.jobs.append(options.view_as(GoogleCloudOptions).job_name)
        return super().run_pipeline(pipeline, options)


class BeamTests(ContractTests, EndingTests):
    executor = "beam"

    @pytest.fixture
    def patient(self, engine: BeamExecutor) -> Patient:
        return Patient(engine, {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        runner = Noting()
        keywords = {"runner": runner, "options": {"job_name": "air"}}
        return Watched(keywords, lambda: runner.jobs == ["air"])


class TestOneProcess(BeamTests, ExecutorTests):
    """The default: no settings."""


class TestDaskRunner(BeamTests):
    """The guarantees alone; other tests rechunk arrays with this runner."""

    @pytest.fixture
    def engine(self, on_dask: BeamExecutor) -> BeamExecutor:
        return on_dask
