"""Show a training's batches, of all its epochs, as one bar."""

from __future__ import annotations

import keras

from fashion16_lib.progress import progress


def training_bar(task: str, n_batches: int) -> keras.callbacks.Callback:
    """Return the callback that moves a bar on at each batch and ends it with the training."""
    bar = progress(range(n_batches), task, total=n_batches, unit="batch")
    return keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs=None: next(bar, None), on_train_end=lambda logs=None: list(bar)
    )
