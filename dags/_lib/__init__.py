# SPDX-License-Identifier: Apache-2.0
"""What the DAGs of this folder are made of, for other DAGs to import too (docs/orchestration.md).

Nothing here reads a file, a variable, a connection or the network while it is imported: settings are read when a task
runs. `settings`, `programs`, `sessions`, `plan`, `manifests`, `health` and `webhook` need no Airflow.
"""
