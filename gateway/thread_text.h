/* thread_text.h - subjects of threads and mails */
#pragma once
#include <stdbool.h>

/* Without "Re:", "Fwd:" and the like (also "Re[2]:", "AW:", "SV:") and surrounding space: points into subject. */
const char *thread_text_base_subject(const char *subject);
/* Does a reply with this subject leave the thread's as it is? */
bool thread_text_same_subject(const char *thread_subject, const char *subject);
