"""Writes the parquet files of this folder: python3 make.py (pyarrow 26.0.1).

Text i of N is "Document i." with a second paragraph of i % 5 words; each file differs in how it is stored.
"""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
N = 60


def text(i: int) -> str:
    """The text of row i; row 7 is blank, row 11 has letters of several bytes."""
    if i == 7:
        return " \n"
    return f"Document {i}.\n\n{'word ' * (i % 5)}{'Žluťoučký kůň' if i == 11 else 'end'}"


def table(start: int, end: int, kind: pa.DataType) -> pa.Table:
    """Rows [start, end) with their number and text."""
    rows = range(start, end)
    return pa.table(
        {"id": pa.array(rows, pa.int64()), "text": pa.array([text(i) for i in rows], kind)}
    )


pq.write_table(table(0, 25, pa.string()), HERE / "part-0.parquet", compression="snappy", row_group_size=10)
pq.write_table(
    table(25, 45, pa.large_string()),
    HERE / "part-1.parquet",
    compression="zstd",
    use_dictionary=False,
    data_page_version="2.0",
)
pq.write_table(table(45, N, pa.string()), HERE / "part-2.parquet", compression="gzip", row_group_size=4)
PROGRAM = '''def simple_math_problem() -> int:
    """{question}"""
    a = {a}
    b = {b}
    result = a * b
    return result
'''


def tinygsm(i: int) -> tuple[str, str]:
    """Row i in the form of TinyGSM: a question, and a program with the question as its docstring."""
    question = f"Ann fills {i % 9 + 1} bags with {i % 7 + 2} pens each. How many pens is that?"
    return question, PROGRAM.format(question=question, a=i % 9 + 1, b=i % 7 + 2)


pairs = [tinygsm(i) for i in range(400)]
pq.write_table(
    pa.table({"question": [q for q, _ in pairs], "code": [c for _, c in pairs]}),
    HERE / "tinygsm.parquet",
    compression="snappy",
    row_group_size=150,
)
pq.write_table(
    pa.table({"text": pa.array(["a", None, "b"])}), HERE / "null.parquet", compression="none"
)
pq.write_table(
    pa.table({"question": ["How many are 1 and 2?"] * 20, "code": [f"return {i}" for i in range(20)]}),
    HERE / "pairs.parquet",
    compression="brotli",
)

# More rows in one group than are read at once, in several pages; row i holds i and "i mod 7".
ROWS = 20_000
pq.write_table(
    pa.table({"id": pa.array(range(ROWS), pa.int64()), "text": [f"{i % 7}" for i in range(ROWS)]}),
    HERE / "group.parquet",
    compression="zstd",
    use_dictionary=["text"],
    column_encoding={"id": "DELTA_BINARY_PACKED"},
    data_page_size=1024,
    row_group_size=ROWS - 1,
)
