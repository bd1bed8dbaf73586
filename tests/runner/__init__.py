# SPDX-License-Identifier: Apache-2.0
"""What tests/run is made of.

outcomes.py counts, environment.py makes what must be there, suites.py says what runs, __main__.py is the command.
"""
