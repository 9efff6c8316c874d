"""`torchrun` that ends with the process that started it; its arguments are those of torchrun."""

import os
import runpy

from repro_worker.death import PARENT, end_with_parent

end_with_parent()
os.environ[PARENT] = str(os.getpid())  # of the ranks
runpy.run_module("torch.distributed.run", run_name="__main__", alter_sys=True)
