# SPDX-License-Identifier: Apache-2.0
"""What tests/run is made of: outcomes.py (counting), environment.py (what must be installed), suites.py (what runs)."""
