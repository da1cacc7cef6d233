/* notice.c - see notice.h */
#include "gateway/notice.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/queue.h"
#include "mapping/store_content.h"
#include "mapping/store_queue.h"
#include "mapping/store_trace.h"

static int text_fd(const char *text, size_t len)
{
    int fd = memfd_create("notice", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, text, len) != (ssize_t)len) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int notice_add_text(struct store_db *db, const char *text, size_t len, int64_t *content_id_out)
{
    int fd = text_fd(text, len);
    if (fd < 0) {
        log_error("notice.no_memory_file", "error=%s", strerror(errno));
        return -1;
    }
    int result = store_content_add_fd(db, fd, (int64_t)len, content_id_out);
    close(fd);
    return result;
}

static int add_reader(struct store_db *db, int64_t id, const struct notice *notice)
{
    if (notice->to.member_id || notice->to.group_id)
        return store_inbound_add_recipient(db, id, &(struct store_inbound_recipient_new){ .target = notice->to });
    return store_inbound_add_person(db, id, notice->uid, notice->alias);
}

int notice_add(struct store_db *db, const struct notice *notice, int64_t now)
{
    int64_t content_id, id;
    size_t size = strlen(notice->text);
    if (notice_add_text(db, notice->text, size, &content_id) != 1)
        return -1;
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_NOTICE,
        .sender = "",
        .from_address = "",
        .references = "",
        .is_automatic = true,
        .content_id = content_id,
        .size = (int64_t)size,
        .thread_id = notice->thread_id,
        .threadid = notice->thread_id ? NULL : notice->threadid,
        .subject = notice->subject,
        .about_outbound_id = notice->about,
        .now = now,
    };
    if (store_inbound_add(db, &row, &id) != 1 || add_reader(db, id, notice) != 1)
        return -1;
    char in[24], out[24];
    queue_id_format(STORE_QUEUE_IN, id, in);
    queue_id_format(STORE_QUEUE_OUT, notice->about, out);
    if (notice->about && store_trace_add(db, STORE_QUEUE_OUT, notice->about, now, "told", "its author, by %s: %s", in,
                                         notice->subject) != 1)
        return -1;
    return store_trace_add(db, STORE_QUEUE_IN, id, now, "noticed", "a notice of the gateway to %s%s%s: %s",
                           notice->to.group_id ? "a group" : "a member", notice->about ? " about " : "",
                           notice->about ? out : "", notice->subject);
}

/* A code span ends at a run of backticks as long as that which began it (CommonMark, "Code spans"). */
static void add_code_span(struct strbuf *out, const char *text)
{
    size_t longest = 0, run = 0;
    for (const char *p = text; *p; p++) {
        run = *p == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        strbuf_add_char(out, '`');
    strbuf_add_char(out, ' ');
    for (const char *p = text; *p; p++)
        strbuf_add_char(out, (unsigned char)*p < ' ' ? ' ' : *p);
    strbuf_add_char(out, ' ');
    for (size_t i = 0; i <= longest; i++)
        strbuf_add_char(out, '`');
}

/* A text, such as a subject with its name; a line, in which each fence may be as long as what it quotes; "- and 7 more". */
enum { TEXT_SIZE = 2000, LINE_SIZE = 8 * 1024, ENDING_SIZE = 40 };

/* The whole line, or nothing of it: one that is cut would end inside a code span. */
static void add_line(struct notice_list *list, struct strbuf *line)
{
    strbuf_add_char(line, '\n');
    bool fits = strbuf_ok(line) && list->text->len + line->len + ENDING_SIZE <= list->text->max;
    list->count++;
    if (!fits || list->shown >= NOTICE_LINES_MAX)
        return;
    strbuf_add(list->text, line->data, line->len);
    list->shown++;
}

void notice_list_add(struct notice_list *list, const char *fmt, ...)
{
    struct strbuf text, line;
    va_list args;
    strbuf_init(&text, TEXT_SIZE);
    strbuf_init(&line, LINE_SIZE);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    strbuf_add_str(&line, "- ");
    add_code_span(&line, text.data);
    add_line(list, &line);
    strbuf_free(&line);
    strbuf_free(&text);
}

/* A host name or address is no markup; whatever else calls itself one is shown as it is. */
static void add_name(struct strbuf *out, const char *name)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    if (strspn(name, harmless) == strlen(name))
        strbuf_add_str(out, name);
    else
        add_code_span(out, name);
}

void notice_list_add_said(struct notice_list *list, const struct notice_said *said)
{
    struct strbuf line;
    strbuf_init(&line, LINE_SIZE);
    strbuf_add_str(&line, "- ");
    add_code_span(&line, said->about);
    strbuf_add_fmt(&line, ": %s", said->words);
    if (said->code[0] && !said->code[strspn(said->code, "0123456789.")])
        strbuf_add_fmt(&line, " (%s)", said->code);
    strbuf_add_char(&line, '.');
    if (said->said[0]) {
        strbuf_add_char(&line, ' ');
        if (said->who)
            add_name(&line, said->who);
        strbuf_add_str(&line, said->who ? " said: " : "Details: ");
        add_code_span(&line, said->said);
    }
    add_line(list, &line);
    strbuf_free(&line);
}

void notice_list_end(struct notice_list *list)
{
    if (list->count > list->shown)
        strbuf_add_fmt(list->text, "- and %u more\n", list->count - list->shown);
}
