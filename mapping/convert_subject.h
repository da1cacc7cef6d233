/* convert_subject.h - what mail programs put in front of a subject: "Re:", "AW:", "Fwd:", "回复：", "[list]"
 *
 * Pure functions on UTF-8. For mapping/convert* and gateway/thread_text.
 */
#pragma once
#include <stdbool.h>

enum convert_subject_prefix { CONVERT_SUBJECT_REPLY, CONVERT_SUBJECT_FORWARD };

const char *convert_subject_skip_space(const char *text); /* no-break and wide ones, too */
/* Behind the prefix that text begins with, its count ("Re[2]:", "Re^3:"), its colon and the space after that; NULL when it
 * begins with none. */
const char *convert_subject_skip_prefix(const char *text, enum convert_subject_prefix *kind_out);
/* Behind "[...]" and the space after it; NULL when text begins with none, or there is nothing behind it. */
const char *convert_subject_skip_tag(const char *text);
/* Was it forwarded by whoever sent it ("Fwd: Re: x", "[list] Fwd: x", "[Fwd: x]"), not before ("Re: Fwd: x")? */
bool convert_subject_is_forward(const char *subject);
