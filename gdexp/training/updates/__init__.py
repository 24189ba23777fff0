"""The updates of a training: all that happens between a loss and the changed weights.

A loop makes one `Updates` of the config group `optimizer` and its model, and then repeats
::

    loss = updates.gradients([partial(training.loss, model, batch) for batch in micro_batches])
    ...  # the loop may end here: the weights are those at which the loss was read
    if not updates.apply():
        ...  # a gradient is not finite, and nothing was changed
"""

from gdexp.training.updates.settings import UpdateSettings
from gdexp.training.updates.updates import Updates

__all__ = ["UpdateSettings", "Updates"]
