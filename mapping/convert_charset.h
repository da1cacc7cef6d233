/* convert_charset.h - decoding text of any charset into UTF-8
 *
 * What can't be decoded becomes U+FFFD in its place: nothing disappears. Labels are read as mail programs write them,
 * case-insensitively, and as browsers understand them (ISO-8859-1 means windows-1252, GB2312 means GB18030: the
 * superset is what senders use).
 *
 * All iconv handles are opened by convert_charsets_new(), because glibc loads its modules from files, and a worker
 * has none once it is locked down. A set belongs to its creator and serves one thread. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_charsets;
struct strbuf;

struct convert_charsets *convert_charsets_new(void);
void convert_charsets_free(struct convert_charsets **charsets);

/* Appends data, decoded, to out. charset: a label, or "" or NULL for an undeclared one, which is taken as UTF-8 when
 * valid and windows-1252 otherwise. False: the label is unknown; data was decoded as if undeclared. */
bool convert_charset_decode(struct convert_charsets *charsets, const char *charset, const void *data, size_t len,
                            struct strbuf *out);
