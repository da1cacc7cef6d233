/* status_words.h - what an enhanced status code means, in words for people who are no technicians
 *
 * RFC 3463 and the registry of RFC 5248 as of 2024, class and subject for codes that are not in it. Pure.
 */
#pragma once

/* enhanced: "5.1.1"; or a reply's "550" when there is none (RFC 5321 section 4.2.3). Never NULL: a phrase such as "there is no
 * such mailbox", without a capital or a full stop, free of markup; for a text that is no code, one that says nothing
 * wrong. */
const char *status_words(const char *enhanced);
