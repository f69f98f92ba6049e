"""Label checks: which labels of a task or of rows are probably wrong."""
