/* run_program.h - runs a program of the system and reads what it prints; for posternctl, which may wait
 *
 * No shell. The program is looked for in PATH, and in /usr/sbin and /sbin behind it. It gets no input.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct strbuf;

/* argv: NULL-terminated. Its exit status, with what it has printed on standard output (and errors, if errors_too) in out, as far as
 * that fits; -1: it is not there, was killed, or has not ended in `ms` (then it is killed). */
int run_program(const char *const *argv, int64_t ms, bool errors_too, struct strbuf *out)
    __attribute__((warn_unused_result));
