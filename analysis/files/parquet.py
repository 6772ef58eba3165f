"""Reading Parquet so that the program ends as it should. Public: read_parquet."""

from typing import Any


def read_parquet(content: bytes) -> Any:
    """A pyarrow Table, read by this thread alone.

    Threads of Arrow that still run when Python ends abort the process or hang it, and the exit code is lost
    (https://github.com/apache/arrow/issues/34314, https://github.com/apache/arrow/issues/50482).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(content), pre_buffer=False).read(use_threads=False)
