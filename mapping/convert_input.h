/* convert_input.h - what a conversion reads: a mapped file, or bytes in memory
 *
 * Content may be larger than the memory that a worker should need. A file is mapped, so that parsers see one run of
 * bytes; whoever walks through it says how far it has come, and the pages behind are given back to the system. They
 * can be read again at any time, at the cost of a page fault: how often and where this is said is a matter of memory,
 * never of the result. Bytes in memory stay where they are. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONVERT_INPUT_WINDOW = 1024 * 1024 }; /* octets of a file that are kept mapped behind a reader, about */

struct convert_input {
    const char *data; /* never NULL, even when empty; not to be written to */
    size_t len;
    size_t kept, top; /* of a file: from where on pages are held, and up to where they were read */
    bool is_mapped;
};

/* Bytes that the caller owns and keeps. */
struct convert_input convert_input_of(const void *data, size_t len);
/* A file's first size bytes. 1, or -1 (errno) when there are fewer or no address space. The file must not become
 * shorter: reading what is gone ends the process. */
int convert_input_map(int fd, int64_t size, struct convert_input *input_out) __attribute__((warn_unused_result));
void convert_input_unmap(struct convert_input *input);

/* Everything before `at` was read and is not needed at the moment. To be said every CONVERT_INPUT_WINDOW octets at
 * least, and at the end. `at` lies in the input or at its end. input NULL: nothing happens. */
void convert_input_passed(struct convert_input *input, const void *at);
/* The first place in from..end where wanted (len octets, at least one) begins; NULL: nowhere. Passes what it went
 * through. */
const char *convert_input_find(struct convert_input *input, const char *from, const char *end, const char *wanted,
                               size_t len);
