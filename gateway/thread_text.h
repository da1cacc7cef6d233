/* thread_text.h - subjects of threads and mails
 *
 * The one place that knows "Re:" and its relatives, so that what we send is what we take for the same thread again. */
#pragma once
#include <stdbool.h>

struct strbuf;

/* Without "Re:", "Fwd:" and the like (also "Re[2]:", "AW:", "SV :") and surrounding space: points into subject. */
const char *thread_text_base_subject(const char *subject);
/* Does a reply with this subject leave the thread's as it is? White space, what is longer than a mail's subject, tags
 * ("[list]") that were put to it or have gone, "[Fwd: x]" and "(fwd)" do not count; nor does a reply without a subject. */
bool thread_text_same_subject(const char *thread_subject, const char *subject);
/* Appends the subject of a mail that answers: exactly one "Re:", in place of those that are there, in any language. What
 * was forwarded stays so: "Fwd: x" is answered with "Re: Fwd: x". "[list] Re: x" is with "Re: [list] x". */
void thread_text_add_reply(struct strbuf *out, const char *subject);
/* Appends the subject of a mail that forwards: "Fwd:" unless it is there. */
void thread_text_add_forward(struct strbuf *out, const char *subject);
