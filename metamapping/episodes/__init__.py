"""Episodes: from token shards to the batches of a meta-step."""
