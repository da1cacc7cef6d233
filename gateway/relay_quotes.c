/* relay_quotes.c - see relay_quotes.h */
#include "gateway/relay_quotes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/store_forward.h"

enum { LINE_MAX_BYTES = 4000, LINE_GOAL = 600 }; /* convert cuts lines at 1,000 octets */

struct relay_quotes {
    struct convert_quote *list;
    size_t count;
};

/* "2026-11-23 06:28:25 UTC"; "an unknown date". */
static void add_date(struct strbuf *out, int64_t at)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(at, text);
    if (at == 0)
        strbuf_add_str(out, "an unknown date");
    else
        strbuf_add_fmt(out, "%.10s %.8s UTC", text, text + 11);
}

static const char *name_of(const char *alias)
{
    return alias[0] ? alias : "Somebody";
}

static void add(struct relay_quotes *quotes, struct strbuf *intro, struct strbuf *outro, int64_t offset, int64_t size)
{
    quotes->list = xreallocarray(quotes->list, quotes->count + 1, sizeof *quotes->list);
    quotes->list[quotes->count++] = (struct convert_quote){
        .intro = strbuf_detach(intro), .outro = strbuf_detach(outro), .offset = offset, .size = size
    };
}

/* Without the prefixes that say of what kind they are ("u:report.pdf"). */
static void add_names(struct strbuf *out, const char *attachments)
{
    struct tmtp_message message;
    const char *error;
    if (!attachments[0] || tmtp_message_decode(attachments, strlen(attachments), &message, &error) != 1)
        return;
    size_t i;
    strbuf_add_str(out, "Attached, and to follow when its author sends it again: ");
    for (i = 0; i < message.attach_count && (i == 0 || out->len < LINE_GOAL); i++) {
        const char *name = message.attach[i].name, *colon = strchr(name, ':');
        strbuf_add_fmt(out, "%s%.300s", i == 0 ? "" : ", ", colon ? colon + 1 : name);
    }
    if (i < message.attach_count)
        strbuf_add_fmt(out, ", and %zu more", message.attach_count - i);
    tmtp_message_free(&message);
}

static void add_message(const struct store_forward_message *message, void *ctx)
{
    struct strbuf intro, outro;
    strbuf_init(&intro, LINE_MAX_BYTES);
    strbuf_init(&outro, LINE_MAX_BYTES);
    strbuf_add_fmt(&intro, "%.1000s wrote on ", name_of(message->author_alias));
    add_date(&intro, message->posted_at);
    strbuf_add_char(&intro, ':');
    add_names(&outro, message->attachments);
    add(ctx, &intro, &outro, message->body_offset, message->body_size);
}

static void add_files(struct relay_quotes *quotes, const struct tmtp_message *head)
{
    struct strbuf intro, outro;
    int64_t posted_at;
    if (!head->confirm_posted || clock_parse_rfc3339(head->confirm_posted, &posted_at) < 0)
        posted_at = 0;
    strbuf_init(&intro, LINE_MAX_BYTES);
    strbuf_init(&outro, LINE_MAX_BYTES);
    strbuf_add_fmt(&intro, "The files of the message that %.1000s wrote on ", name_of(head->alias));
    add_date(&intro, posted_at);
    add(quotes, &intro, &outro, 0, 0);
}

struct relay_quotes *relay_quotes_new(struct store_db *db, const struct store_outbound *row,
                                      const struct tmtp_message *head)
{
    struct relay_quotes *quotes = xcalloc(1, sizeof *quotes);
    if (row->kind == STORE_OUTBOUND_FILES)
        add_files(quotes, head);
    else if (store_forward_list(db, row->id, add_message, quotes) < 0 || quotes->count == 0)
        relay_quotes_free(&quotes);
    return quotes;
}

void relay_quotes_free(struct relay_quotes **quotes_in)
{
    struct relay_quotes *quotes = *quotes_in;
    if (!quotes)
        return;
    for (size_t i = 0; i < quotes->count; i++) {
        free((char *)(uintptr_t)quotes->list[i].intro);
        free((char *)(uintptr_t)quotes->list[i].outro);
    }
    free(quotes->list);
    free(quotes);
    *quotes_in = NULL;
}

const struct convert_quote *relay_quotes_list(const struct relay_quotes *quotes, size_t *count_out)
{
    *count_out = quotes->count;
    return quotes->list;
}
