/* smtp_punycode.h - domains in UTF-8 in the form that the DNS has (RFC 3492, RFC 5891 section 4.4)
 *
 * Only the encoding: what an internationalised label may consist of is not judged, and nothing but ASCII letters is
 * folded. Two labels have the same encoding only if they are the same. No I/O.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { SMTP_LABEL_MAX = 63 };

/* label: UTF-8, of any length; ASCII letters become small. An ASCII label stays what it is, else it becomes
 * "xn--...". 1 ok; -1 it is not UTF-8, or does not fit a label. */
int smtp_punycode_encode_label(const char *label, size_t len, char out[static SMTP_LABEL_MAX + 1])
    __attribute__((warn_unused_result));
