"""The errors this package raises on purpose."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was given, what is allowed and, for files, which file and row. The command line prints it
    without a traceback and exits with code 2.
    """


class UnknownId(InputError):
    """An external id that the data set does not have."""


class TrainingDiverged(RuntimeError):
    """A loss term became NaN or infinite; the message names the epoch and the term."""


class FetchError(RuntimeError):
    """A download failed: no network, no such address, or not the file that was promised."""


class RankLost(RuntimeError):
    """Another rank that trains the same model has ended, or cannot be reached."""
