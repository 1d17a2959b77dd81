"""What can go wrong in training, each with a sentence for whoever started it."""
# ruff: noqa: D101, N818 - the base says what they are; the names read as what happened


class TrainingError(Exception):
    """The family. The message says what is wrong and, where it can, what to do about it."""


class DatasetInvalid(TrainingError):
    pass


class RunMismatch(TrainingError):
    """The run's folder belongs to a training with other options or other pictures."""


class CheckpointInvalid(TrainingError):
    pass


class TrainingDiverged(TrainingError):
    pass


class ExportDiffers(TrainingError):
    """An exported file does not give what the trained net gives."""
