"""Driver-level statements in both dialects: tuples in, tuples out, no object per row.

Statements are written once, with `?` for a parameter and no other question mark or `%` outside of `LIKE` literals;
PostgreSQL receives them with `%s`. `bench/` measures why rows do not travel through the expression language.
"""

# ruff: noqa: S608 - statements are put together from names of tables and columns of our own; values are parameters

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

Row = tuple[Any, ...]

_streams = count()


def is_postgres(conn: Connection) -> bool:
    """True where the store is PostgreSQL; it is SQLite otherwise."""
    return conn.dialect.name == "postgresql"


def fetch(conn: Connection, sql: str, *params: object) -> list[Row]:
    """All rows of one statement, as the driver's own tuples."""
    result = conn.exec_driver_sql(_native(conn, sql), params)
    rows = cast("list[Row]", result.cursor.fetchall())
    result.close()
    return rows


def fetch_one(conn: Connection, sql: str, *params: object) -> Row | None:
    """The first row of one statement, None where there is none."""
    result = conn.exec_driver_sql(_native(conn, sql), params)
    row: Row | None = result.cursor.fetchone()
    result.close()
    return row


def stream(conn: Connection, sql: str, *params: object, size: int = 2_000) -> Iterator[list[Row]]:
    """The rows of one statement in chunks of at most `size`, in bounded memory.

    On PostgreSQL through a server-side cursor, so not within autocommit.
    """
    if is_postgres(conn):
        driver = conn.connection.driver_connection
        assert driver is not None
        cursor = driver.cursor(name=f"stream_{next(_streams)}")
        cursor.execute(_native(conn, sql), params)
    else:
        cursor = conn.exec_driver_sql(sql, params).cursor
    try:
        while rows := cast("list[Row]", cursor.fetchmany(size)):
            yield rows
    finally:
        cursor.close()


def execute(conn: Connection, sql: str, *params: object) -> int:
    """Carry out one statement; returns how many rows it touched."""
    result = conn.exec_driver_sql(_native(conn, sql), params)
    touched = result.rowcount
    result.close()
    return touched


def executemany(conn: Connection, sql: str, rows: Sequence[Row]) -> None:
    """Carry out one statement for every row; nothing happens where there are none."""
    if rows:
        # Named tuples are bound at half the speed of plain ones.
        plain = rows if isinstance(rows, list) and type(rows[0]) is tuple else list(map(tuple, rows))
        conn.exec_driver_sql(_native(conn, sql), plain).close()


def upsert(
    conn: Connection,
    table: str,
    columns: Sequence[str],
    key: Sequence[str],
    rows: Sequence[Row],
    *,
    update: Sequence[str] | None = None,
    same: Mapping[str, int] | None = None,
) -> None:
    """Insert the rows, and where a row with the same key exists give it the new values.

    `update` names the columns that an existing row takes over: all others than the key by default, none where it is
    empty (the existing row stays). `same` are further columns with a number that is the same for all rows. Of rows with
    equal keys the last one counts. PostgreSQL takes them by COPY and one set-based statement, SQLite by executemany.
    """
    if not rows:
        return
    taken = [c for c in columns if c not in key] if update is None else list(update)
    names = ", ".join(columns)
    into = ", ".join((*columns, *(same or ())))
    numbers = "".join(f", {number:d}" for number in (same or {}).values())
    tail = f"ON CONFLICT ({', '.join(key)}) DO " + (
        f"UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in taken)}" if taken else "NOTHING"
    )
    if not is_postgres(conn):
        marks = ", ".join("?" * len(columns))
        executemany(conn, f"INSERT INTO {table} ({into}) VALUES ({marks}{numbers}) {tail}", rows)
        return
    places = [list(columns).index(c) for c in key]
    last = {tuple(row[p] for p in places): row for row in rows} if places else dict(enumerate(rows))
    staged = stage(conn, table, columns, last.values())
    execute(conn, f"INSERT INTO {table} ({into}) SELECT {names}{numbers} FROM {staged} {tail}")
    execute(conn, f"DROP TABLE {staged}")


def insert(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Add the rows; a key that exists is an error. PostgreSQL takes them by COPY, SQLite by executemany."""
    if not rows:
        return
    if is_postgres(conn):
        _copy(conn, table, columns, rows)
        return
    marks = ", ".join("?" * len(columns))
    executemany(conn, f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


def stage(conn: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Copy the rows into a temporary table shaped like `table` (PostgreSQL only); returns its name, drop it after."""
    staged = f"staged_{table}"
    execute(conn, f"CREATE TEMPORARY TABLE {staged} ON COMMIT DROP AS SELECT {', '.join(columns)} FROM {table} LIMIT 0")
    _copy(conn, staged, columns, rows)
    return staged


def any_of(conn: Connection, column: str, type_: str = "bigint") -> str:
    """The condition that `column` is among the values of one parameter, which `listed` makes."""
    if is_postgres(conn):
        return f"{column} = ANY(?::{type_}[])"
    return f"{column} IN (SELECT value FROM json_each(?))"


def listed(conn: Connection, values: Iterable[object]) -> object:
    """The parameter that goes with `any_of`."""
    return list(values) if is_postgres(conn) else orjson.dumps(list(values)).decode()


def _copy(conn: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Send the rows by COPY."""
    driver = conn.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _native(conn: Connection, sql: str) -> str:
    return _formatted(sql) if is_postgres(conn) else sql


@lru_cache(maxsize=512)
def _formatted(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")
