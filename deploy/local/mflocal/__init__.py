# SPDX-License-Identifier: Apache-2.0
"""Marketflow on one machine: the parts of a stack as objects (see deploy/local/README.md).

Standard library only, so that it runs before anything is installed.
"""

from .broker import Broker
from .cluster import Cluster
from .install import build, kafka_jars, python_environment
from .layout import REPOSITORY, Layout
from .ports import Ports, free_port
from .postgres import Postgres
from .process import BackgroundProcess, base_environment
from .prometheus import Sample
from .services import NAMES, ServiceProcess, ServiceSpec, last_json_object, run_program
from .simulator import Simulator
from .stack import Stack
from .supervisor import Supervisor
from .waiting import LocalError, WaitTimeout, wait_for
from .warehouse import Session

__all__ = [
    "NAMES",
    "REPOSITORY",
    "BackgroundProcess",
    "Broker",
    "Cluster",
    "Layout",
    "LocalError",
    "Ports",
    "Postgres",
    "Sample",
    "ServiceProcess",
    "ServiceSpec",
    "Session",
    "Simulator",
    "Stack",
    "Supervisor",
    "WaitTimeout",
    "base_environment",
    "build",
    "free_port",
    "kafka_jars",
    "last_json_object",
    "python_environment",
    "run_program",
    "wait_for",
]
