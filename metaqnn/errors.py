"""The errors that a user can cause."""


class MetaqnnError(Exception):
    """Bad input, told in one line; the command line exits with `exit_code`."""

    exit_code = 2


class SearchStopped(MetaqnnError):
    """The search cannot go on: the machine or the data are broken, not the networks."""

    exit_code = 1


class NoLatency(MetaqnnError):
    """A network cannot be exported or run, so that nobody can tell how long it takes."""


class TrainingFailed(MetaqnnError):
    """A network that was to be trained has failed."""

    exit_code = 1
