/* convert_mime_parameter.h - parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2231)
 *
 * Read as mail programs write them: quoted or not, in continuations, percent-encoded with a charset, or (wrongly, but
 * everywhere) as encoded words. Of a repeated parameter the first counts. The caller limits the field. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_charsets;

struct convert_parameter {
    char *name;      /* lower case, without its asterisks */
    int section;     /* of a continuation; -1 for a whole one */
    bool is_encoded; /* percent-encoded; section 0 and a whole one begin with charset'language' */
    char *value;     /* unquoted */
};

struct convert_parameters {
    struct convert_parameter *items;
    size_t count;
};

/* value: the field's, on one line, without NUL. What is before the first ";" is the caller's. */
void convert_parameters_parse(const char *value, struct convert_parameters *parameters_out);
void convert_parameters_free(struct convert_parameters *parameters);

/* As it was written, continuations put together; "" when absent. For protocol values: boundary, charset. The caller
 * frees both. */
char *convert_parameters_raw(const struct convert_parameters *parameters, const char *name)
    __attribute__((warn_unused_result));
/* For people: decoded, one line of valid UTF-8, at most max bytes; "" when absent. */
char *convert_parameters_text(const struct convert_parameters *parameters, const char *name,
                              struct convert_charsets *charsets, size_t max) __attribute__((warn_unused_result));
