# SPDX-License-Identifier: Apache-2.0
"""A second implementation of the processor's fold, from docs/processor.md, to check the first one by."""

from .cells import Output
from .compare import compare
from .fold import Partition
from .numbers import statistic
from .rules import Settings

__all__ = ["Output", "Partition", "Settings", "compare", "statistic"]
