"""Rows of a data set of the Hugging Face hub, in which labels may be numbers of classes that have names."""

from __future__ import annotations

from collections.abc import Iterator

from metamapping.config.sources import Source
from metamapping.corpus.arrow_rows import rows_of_batch
from metamapping.corpus.labels import class_names, label_name
from metamapping.corpus.rows import Row
from metamapping.corpus.source_columns import column_names
from metamapping.errors import ConfigError, needs_train_extra

_ROWS_PER_BATCH = 5_000


def read_hub(source: Source) -> Iterator[Row]:
    """Yield the rows of a data set of the hub, with the names of labels.

    Args:
        source: Its ``hub`` says which data set.

    Raises:
        ConfigError: The data set cannot be read.
    """
    with needs_train_extra("reading a data set of the hub"):
        import datasets

    assert source.hub is not None
    hub = source.hub
    try:
        data = datasets.load_dataset(hub.path, hub.config, split=hub.split, revision=hub.revision)
    except Exception as error:  # The hub, the network and loaders raise errors of all kinds.
        raise ConfigError(
            f"source {source.name!r}: the hub's data set {hub.path!r} (config {hub.config}, split "
            f"{hub.split}, revision {hub.revision}) cannot be read: {error}"
        ) from error
    names = class_names(data.features.get(str(column_names(source, data.column_names)[2])))
    for batch in data.with_format("arrow").iter(batch_size=_ROWS_PER_BATCH):
        for part in batch.to_batches():
            for row in rows_of_batch(part, source, hub.path):
                yield row if names is None else row._replace(label=label_name(row.label, names))
