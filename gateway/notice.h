/* notice.h - what the gateway tells members, in the thread that it is about
 *
 * A notice is an entry of the inbound queue whose content is its text (CommonMark), so it is posted exactly once like
 * mail.
 */
#pragma once
#include "mapping/store_address.h"
#include <stddef.h>
#include <stdint.h>

struct store_db;

struct notice {
    struct store_target to;  /* a member or a group; both ids 0: uid and alias say who */
    const char *uid, *alias; /* of somebody of the silo who is neither */
    int64_t thread_id;       /* 0: threadid says which */
    const char *threadid; /* a thread that is not ours, as its reader named it; NULL: a new thread with this subject */
    const char *subject, *text; /* text: CommonMark */
    int64_t about;              /* the entry of the outbound queue that it is about, for `why`; 0 */
};
/* Writer only. 1 added, -1 error. */
int notice_add(struct store_db *db, const struct notice *notice, int64_t now) __attribute__((warn_unused_result));

/* Lists in notices name this many; the rest is counted. */
enum { NOTICE_LINES_MAX = 50 };
struct strbuf;
struct notice_list {
    struct strbuf *text;
    unsigned count; /* of what was to be told; */
    unsigned shown; /* of these, what there was room for */
};
/* Appends a list item, if there is room for the whole of it and for notice_list_end(): text never overflows, however long
 * what strangers say becomes when it is quoted. The text may be a stranger's (a relay's reply): it is shown as it is, in a
 * code span, and can't act as markup under the gateway's name. */
void notice_list_add(struct notice_list *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Likewise, for one recipient: "- `about`: words (code). who said: `said`". about, code, who and said may be a stranger's; code
 * stands there only if it consists of digits and dots. who NULL: said are details of ours; said "": nothing was said. */
struct notice_said {
    const char *about, *words, *code, *who, *said;
};
void notice_list_add_said(struct notice_list *list, const struct notice_said *said);
/* Says how many lines were left out, if any. */
void notice_list_end(struct notice_list *list);

/* Writer only. Keeps a text of ours as content of its own. 1, or -1: no memory file, or a database error. */
int notice_add_text(struct store_db *db, const char *text, size_t len, int64_t *content_id_out)
    __attribute__((warn_unused_result));
