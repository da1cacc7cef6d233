/* convert_attribution_words.h - the words of convert_attribution, in the languages of mail programs
 *
 * Everything is as convert_attribution normalises it: lower case, single blanks, ASCII digits and colons. Labels are
 * without blanks. Internal to mapping/convert_attribution*.
 */
#pragma once
#include "mapping/convert_attribution.h"
#include <stddef.h>

/* Lists of words end with NULL. */

/* What an attribution begins with, before its date. */
extern const char *const convert_attribution_leads[];
/* The same of languages in which no verb follows: date, name and address, and the colon. */
extern const char *const convert_attribution_verbless_leads[];
/* What stands before a name and address, and then the colon. */
extern const char *const convert_attribution_quoting[];
/* "wrote": nothing but the colon follows. */
extern const char *const convert_attribution_last_verbs[];
/* "schrieb": a name may follow. */
extern const char *const convert_attribution_middle_verbs[];
/* Beside a verb these make it prose ("schrieb ich", "he wrote"). */
extern const char *const convert_attribution_pronouns[];
/* What prose begins with, and no name does ("As Bob <bob@example.com> wrote:"). */
extern const char *const convert_attribution_prose[];

/* Between dashes. */
extern const char *const convert_attribution_originals[];
extern const char *const convert_attribution_forwards[];
/* The line as a whole, but for its colon. */
extern const char *const convert_attribution_forward_lines[];

enum convert_attribution_label {
    ATTRIBUTION_LABEL_FROM = 1,
    ATTRIBUTION_LABEL_DATE = 2,
    ATTRIBUTION_LABEL_TO = 4,
    ATTRIBUTION_LABEL_SUBJECT = 8,
    ATTRIBUTION_LABEL_OTHER = 16,
};

extern const struct convert_attribution_label_words {
    enum convert_attribution_label label;
    const char *const *words;
} convert_attribution_labels[];
extern const size_t convert_attribution_label_count;
