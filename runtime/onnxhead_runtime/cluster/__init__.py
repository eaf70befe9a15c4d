"""More rows than one machine takes: the same answers on Ray Data, written by many workers into one folder.

Needs the extra `ray`. Only names of files and numbers of rows travel between the driver and the workers; each
worker reads its rows and writes its answers itself.
"""

from onnxhead_runtime.cluster.scoring import score

__all__ = ["score"]
