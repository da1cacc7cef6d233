/* store_look.h - is a database whole? For who looks after one that a daemon may be using (posternctl doctor)
 *
 * Nothing is written, and no lock is held that would keep a daemon waiting.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct strbuf;

/* Has a daemon locked this database? Also one that answers nobody. */
bool store_look_is_in_use(const char *path);

/* is_in_use: a daemon has it open; otherwise only what has been moved into the file itself is looked at. 1: it is whole; 0: that could not be
 * found out in `ms`, or not without the log of a daemon that was killed; -1: it is damaged, or can't be opened. problems_out then says what, in
 * a line. */
int store_look(const char *path, bool is_in_use, int64_t ms, struct strbuf *problems_out)
    __attribute__((warn_unused_result));
