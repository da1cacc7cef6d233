/* smtp_content.h - which octets the content of a message may consist of, however it comes in (DATA or BDAT)
 *
 * Octets in, defects out; no I/O. Lines of text end with CRLF: bare CR, bare LF and NUL are defects (RFC 5321 section
 * 2.3.8, RFC 5322 section 2.3), since others on the way may take them for line ends, and so for an end of data. With
 * BODY=BINARYMIME (RFC 3030 section 3) they may stand behind the header section, that is behind the first empty line,
 * and nowhere else. The content of a message with defects is not to be used.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_content_defect { SMTP_DEFECT_BARE_CR = 1 << 0, SMTP_DEFECT_BARE_LF = 1 << 1, SMTP_DEFECT_NUL = 1 << 2 };

struct smtp_content_check {
    unsigned defects; /* enum smtp_content_defect, or-ed, of what was read so far */
    /* private */
    bool is_binary;  /* everything is allowed behind the header section */
    bool is_free;    /* and this is there: nothing is looked at any more */
    bool after_cr;   /* the last octet was CR: it is bare unless LF follows */
    bool line_began; /* the line has octets besides its end */
};

void smtp_content_check_init(struct smtp_content_check *check, bool is_binary);
/* Pieces may be cut anywhere. */
void smtp_content_check_feed(struct smtp_content_check *check, const uint8_t *data, size_t len);
/* No more comes: a CR at the very end is bare. */
void smtp_content_check_finish(struct smtp_content_check *check);
