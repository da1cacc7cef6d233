/* answered.c - see answered.h */
#include "gateway/answered.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/strbuf.h"
#include "gateway/display_name.h"
#include "mapping/store_named.h"

enum { INTRO_MAX = 1000 }; /* octets: a name, an address and a few words */

/* Paragraphs of mail are often one long line: the words of it that fit. */
static void add_words(struct strbuf *out, const char *line, size_t room)
{
    const char *end = memrchr(line, ' ', room);
    if (!end)
        return;
    strbuf_add(out, line, (size_t)(end - line));
    strbuf_add_char(out, '\n');
}

void answered_add_short(struct strbuf *out, const char *text)
{
    size_t taken = 0;
    for (unsigned lines = 0; lines < ANSWERED_LINES_MAX && text[taken]; lines++) {
        size_t len = strcspn(text + taken, "\n");
        if (taken + len > ANSWERED_TEXT_MAX) {
            add_words(out, text + taken, taken < ANSWERED_TEXT_MAX ? ANSWERED_TEXT_MAX - taken : 0);
            break;
        }
        strbuf_add(out, text + taken, len);
        strbuf_add_char(out, '\n');
        taken += len + (text[taken + len] == '\n');
    }
    if (text[taken])
        strbuf_add_str(out, "\n\\[...\\]\n");
}

int answered_keep(struct store_db *db, const struct store_inbound *mail, const char *author_name, const char *text)
{
    if (!text[0])
        return store_excerpt_erase(db, mail->thread_id);
    struct strbuf kept;
    strbuf_init(&kept, ANSWERED_TEXT_MAX + 100);
    answered_add_short(&kept, text);
    const struct store_excerpt excerpt = { .thread_id = mail->thread_id,
                                           .inbound_id = mail->id,
                                           .author_name = (char *)(uintptr_t)author_name, /* only read */
                                           .text = kept.data,
                                           .received_at = mail->received_at };
    int result = store_excerpt_set(db, &excerpt);
    strbuf_free(&kept);
    return result;
}

/* What the mail said of its own date is not known; when it came is. */
static void add_intro(struct strbuf *out, const struct store_excerpt *excerpt)
{
    char date[64];
    struct tm parts;
    time_t seconds = (time_t)(excerpt->received_at / 1000);
    if (!gmtime_r(&seconds, &parts) || strftime(date, sizeof date, "%d %B %Y at %H:%M +0000", &parts) == 0)
        date[0] = '\0';
    strbuf_add_fmt(out, "On %s, ", date + (date[0] == '0'));
    if (excerpt->author_name[0] && strcmp(excerpt->author_name, excerpt->address) != 0) {
        display_name_add(out, excerpt->author_name, DISPLAY_NAME_MAX);
        strbuf_add_fmt(out, " <%s> wrote:", excerpt->address);
    } else {
        strbuf_add_fmt(out, "%s wrote:", excerpt->address);
    }
}

static bool may_be_shown(const struct store_outbound *row, const struct store_excerpt *excerpt)
{
    for (size_t i = 0; i < row->recipient_count; i++)
        if (row->recipients[i].correspondent_id != excerpt->correspondent_id)
            return false;
    return row->recipient_count > 0;
}

int answered_find(struct store_db *db, const struct store_outbound *row, struct answered *out)
{
    struct store_excerpt excerpt;
    *out = (struct answered){ 0 };
    if (row->kind != STORE_OUTBOUND_MESSAGE || !row->thread_id)
        return 0;
    int found = store_excerpt_find(db, row->thread_id, row->id, &excerpt);
    if (found != 1)
        return found;
    if (may_be_shown(row, &excerpt)) {
        struct strbuf intro;
        strbuf_init(&intro, INTRO_MAX);
        add_intro(&intro, &excerpt);
        out->intro = strbuf_detach(&intro);
        out->text = excerpt.text;
        excerpt.text = NULL;
    }
    store_excerpt_free(&excerpt);
    return out->text != NULL;
}

void answered_free(struct answered *answered)
{
    free(answered->intro);
    free(answered->text);
    *answered = (struct answered){ 0 };
}
