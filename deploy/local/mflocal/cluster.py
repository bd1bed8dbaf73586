# SPDX-License-Identifier: Apache-2.0
"""Several brokers as one cluster on loopback: every node broker and controller, every record on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .broker import Broker, cluster_id
from .layout import Layout
from .waiting import LocalError, wait_for

# A record is acknowledged by two replicas at least, those of the internal topics too, so that any one broker
# may go. The followers ask often: an idle acknowledgement does not wait for their next question.
_REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "auto.leader.rebalance.enable": "false",  # leaders move when somebody moves them
}


class ClusterNode(Broker):
    """One broker of a cluster. Its ports cannot change while the others know them."""

    def __init__(self, cluster: Cluster, node: int, *, die_with_parent: bool, heap_mib: int) -> None:
        super().__init__(
            cluster.layout,
            die_with_parent=die_with_parent,
            heap_mib=heap_mib,
            detour=cluster.detour,
            properties=cluster.properties,
        )
        self._cluster = cluster
        self.node = node
        self.name = f"broker-{node}"

    @property
    def data(self) -> Path:
        return self.layout.state / f"kafka-{self.node}"

    @property
    def controller_name(self) -> str:
        return f"controller-{self.node}"

    def new_cluster_id(self) -> str:
        return self._cluster.id

    def voters(self) -> str:
        return ",".join(
            f"{node.node}@127.0.0.1:{node._known(node.controller_name)}" for node in self._cluster.nodes
        )

    def _take_ports(self) -> None:
        if self._ports.known(self.name) is None:
            for node in self._cluster.nodes:
                super(ClusterNode, node)._take_ports()
            return
        before = (self.port, self._known(self.controller_name))
        super()._take_ports()
        if (self.port, self._known(self.controller_name)) != before:
            raise LocalError(f"a port of {self.name} is taken by somebody else")


class Cluster:
    """`count` brokers that start, stop and are reset together; each node can be stopped, killed or frozen alone."""

    def __init__(
        self,
        layout: Layout,
        count: int = 3,
        *,
        die_with_parent: bool = False,
        heap_mib: int = 256,
        detour: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.layout = layout
        self.detour = detour
        self.properties = {**_REPLICATED, **(properties or {})}
        self.id = cluster_id()
        self.nodes: Sequence[ClusterNode] = [
            ClusterNode(self, node, die_with_parent=die_with_parent, heap_mib=heap_mib)
            for node in range(1, count + 1)
        ]

    def node(self, number: int) -> ClusterNode:
        return self.nodes[number - 1]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def detour_bootstrap(self) -> str:
        return ",".join(node.detour_bootstrap for node in self.nodes)

    @property
    def env(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "KAFKA_REPLICATION_FACTOR": str(len(self.nodes))}

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def ready(self) -> bool:
        """Every node runs and answers that all of them are there."""
        return all(node.running() and node.brokers_known() == len(self.nodes) for node in self.nodes)

    def wait_ready(self, timeout: float = 120.0) -> None:
        wait_for(self.ready, timeout, f"{len(self.nodes)} brokers that know each other", 0.1)

    def stop(self) -> None:
        """Controlled shutdowns, beside each other: the last ones could not finish theirs alone."""
        identities = [node.identity for node in self.nodes]
        for identity in identities:
            if identity is not None:
                identity.send(Broker.stop_signal)
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
