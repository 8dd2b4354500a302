"""Types with a name."""

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
"""An array of row numbers or counts."""
