/* notice.h - what the gateway tells members, in the thread that it is about
 *
 * A notice is an entry of the inbound queue whose content is its text (CommonMark), so it is posted exactly once like
 * mail.
 */
#pragma once
#include <stdint.h>

struct store_db;

/* Writer only. thread_id 0: a new thread with this subject. 1 added, -1 error. */
int notice_add(struct store_db *db, int64_t thread_id, int64_t member_id, const char *subject, const char *text,
               int64_t now) __attribute__((warn_unused_result));

/* Lists in notices name this many; the rest is counted. */
enum { NOTICE_LINES_MAX = 50 };
struct strbuf;
struct notice_list {
    struct strbuf *text;
    unsigned count;
};
/* Appends a list item while there is room for it. The text may be a stranger's (a relay's reply): it is shown as it is, in a
 * code span, and can't act as markup under the gateway's name. */
void notice_list_add(struct notice_list *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says how many lines were left out, if any. */
void notice_list_end(struct notice_list *list);

/* A memfd that holds the text, as content tables and posts want it (owned by the caller). -1 on failure. */
int notice_text_fd(const char *text) __attribute__((warn_unused_result));
