/* store_part_internal.h - a database that is a part of another file; for mapping/store*.c only
 *
 * A backup has the database inside: SQLite writes it straight there, and reads it there when the backup is verified, so that
 * neither needs a second copy of it, nor a name that would stay behind if the process were killed.
 */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct store_part;

/* The part of fd (borrowed) that begins at offset. size: of what is there, to be read only; -1: nothing is yet, it is written, and grows.
 * Never NULL. One thread. */
struct store_part *store_part_new(int fd, int64_t offset, int64_t size);
/* A connection to it, to be closed before the part is freed. What is written has no journal and is not synced. A code of the library. */
int store_part_open(struct store_part *part, sqlite3 **handle_out) __attribute__((warn_unused_result));
int64_t store_part_size(const struct store_part *part);
void store_part_free(struct store_part **part);
