"""One machine of two: finish a run with eager meta-steps, as `train --resume` does.

METAMAPPING_CACHE=own-folder python -m tests.formats.two_machines HOME RUN
"""

import sys

if __name__ == "__main__":
    import tensorflow as tf

    from metamapping.runs.folder import RunFolder
    from metamapping.runs.pipeline import finish_run

    tf.config.run_functions_eagerly(True)
    print("published", finish_run(RunFolder(sys.argv[1], sys.argv[2])).published)
