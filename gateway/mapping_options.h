/* mapping_options.h - limits of a mapping as people write them: "daily" "20"
 *
 * The same for the command line, the web page and whatever comes. Pure: the time is an argument.
 */
#pragma once
#include "gateway/mapping_change.h"

struct attachment_rule;
struct strbuf;

enum { MAPPING_NOTE_MAX = 1000 }; /* octets */

/* Owns what the limits refer to. Begin with { 0 }; mapping_options_clear() at the end. */
struct mapping_options {
    struct mapping_limits limits;
    struct attachment_rule *attachments;
    char *note;
};
/* name, value:
 *   direction     in, out, both
 *   expires       a day ("2027-01-31": its end in UTC) or a time (RFC 3339) in the future; never
 *   daily         1 to 1000000; none
 *   max-size      a size of at least 1K; none
 *   attachments   yes, no, or a list (attachment_rule.h)
 *   proof         dmarc, dkim, none, default
 *   subaddresses  yes, no
 *   invite        yes, no
 *   note          text
 * 1; -1: what is wrong is added to wrong_out, one line. */
int mapping_options_set(struct mapping_options *options, const char *name, const char *value, int64_t now,
                        struct strbuf *wrong_out) __attribute__((warn_unused_result));
void mapping_options_clear(struct mapping_options *options);
/* The names, in the order above, NULL at the end. */
extern const char *const mapping_option_names[];
