/* stream_input.h - the input buffer of a stream: contiguous, bounded by its user, without memory while empty
 *
 * Private to base/. Bytes are added at the end and taken from the front. Pointers into it hold until the next call
 * that adds or shrinks.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_input {
    uint8_t *memory;
    size_t capacity;
    size_t start; /* of the bytes not yet taken */
    size_t len;
    size_t next_capacity; /* how much to begin with: grows while input comes fast */
};

/* Somewhere to put at most `max` more bytes (max > 0): *room_out bytes at the returned address, at least one. */
uint8_t *stream_input_reserve(struct stream_input *input, size_t max, size_t *room_out);
void stream_input_commit(struct stream_input *input, size_t len); /* so many of them were filled in */
void stream_input_consume(struct stream_input *input, size_t len);
void stream_input_shrink(struct stream_input *input); /* gives the memory back if nothing is in it */
void stream_input_free(struct stream_input *input);

/* Finds and takes the first line; see stream_read_line(). full: nothing more can be added, so that what has no end by
 * now never gets one. */
int stream_input_take_line(struct stream_input *input, size_t max, bool lf_ok, bool full, const char **line_out,
                           size_t *len_out, bool *had_crlf_out);
