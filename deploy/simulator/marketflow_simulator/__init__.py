# SPDX-License-Identifier: Apache-2.0
"""A market-data provider for one machine: real daily history replayed, live data invented.

The package answers in the documented shapes of a provider's REST interface, so that everything
behind the ingestor can be run, tested and measured without an account. Every answer says what its
data are: ``X-Marketflow-Data: replay`` or ``synthetic``.
"""

__version__ = "0.1.0"
