/* admin_why.c - why: what became of a message, or why it was refused before there was one */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/admin_queue.h"
#include "gateway/queue.h"
#include "gateway/why_words.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_refusal.h"
#include "mapping/store_thread.h"

enum { REFUSALS_SHOWN = 50, PARAGRAPH_MAX = 16 * 1024 };

/* "<id@host>" as it stands in a mail, without the brackets. */
static char *without_brackets(const char *text)
{
    size_t len = strlen(text);
    if (len >= 2 && text[0] == '<' && text[len - 1] == '>')
        return xstrndup(text + 1, len - 2);
    return xstrdup(text);
}

/* --- refusals --- */

/* What they are asked for by. */
typedef int list_refusals(struct store_db *db, const char *key, int64_t limit, store_refusal_each *each, void *ctx);

struct showing {
    struct admin_output *out;
    bool json;
    int64_t count;
};

static void count_refusal(const struct store_refusal *refusal, void *ctx)
{
    struct showing *showing = ctx;
    (void)refusal;
    showing->count++;
}

static void add_paragraph(const struct store_refusal *refusal, void *ctx)
{
    struct showing *showing = ctx;
    struct strbuf text;
    strbuf_init(&text, PARAGRAPH_MAX);
    why_words_add_refusal(refusal, &text);
    admin_output_paragraph(showing->out, text.data);
    strbuf_free(&text);
}

static void add_text(struct admin_output *out, const char *key, const char *text)
{
    admin_output_string(out, key, text[0] ? text : NULL);
}

/* People have read the rest in the story. */
static void add_facts(const struct store_refusal *refusal, struct admin_output *out)
{
    char entry[24];
    queue_id_format(STORE_QUEUE_IN, refusal->inbound_id, entry);
    admin_output_time(out, "first", refusal->first_at);
    add_text(out, "client", refusal->client);
    add_text(out, "sender", refusal->sender);
    add_text(out, "author", refusal->author);
    add_text(out, "recipient", refusal->recipient);
    add_text(out, "message_id", refusal->message_id);
    admin_output_int(out, "size", refusal->size);
    add_text(out, "reply", refusal->reply);
    add_text(out, "reason", refusal->reason);
    add_text(out, "proof", refusal->proof);
    add_text(out, "came", refusal->via);
    admin_output_string(out, "accepted_as", refusal->inbound_id ? entry : NULL);
}

static void add_row(const struct store_refusal *refusal, void *ctx)
{
    struct showing *showing = ctx;
    struct admin_output *out = showing->out;
    admin_output_row(out);
    admin_output_time(out, "time", refusal->at);
    admin_output_int(out, "count", refusal->count);
    admin_output_string(out, "place", refusal->place);
    add_text(out, "session", refusal->session);
    add_text(out, "transaction", refusal->transaction);
    admin_output_int(out, "code", refusal->code);
    if (showing->json)
        add_facts(refusal, out);
    admin_output_end(out);
}

/* How many there are, or -1. */
static int64_t count_refusals(struct admin_request *request, list_refusals *list, const char *key)
{
    struct showing showing = { .count = 0 };
    return list(admin_reader(request), key, REFUSALS_SHOWN, count_refusal, &showing) < 0 ? -1 : showing.count;
}

static int add_refusals(struct admin_request *request, list_refusals *list, const char *key)
{
    struct showing showing = { .out = request->output, .json = request->json };
    admin_output_list(showing.out, "refusals");
    int result = list(admin_reader(request), key, REFUSALS_SHOWN, add_row, &showing);
    admin_output_end(showing.out);
    return result;
}

static void show_refusals(struct admin_request *request, list_refusals *list, const char *key, const char *about)
{
    struct showing showing = { .out = request->output };
    struct strbuf text;
    strbuf_init(&text, PARAGRAPH_MAX);
    strbuf_add_fmt(&text, "%s %s:", about, key);
    admin_output_list(showing.out, "story");
    admin_output_paragraph(showing.out, text.data);
    strbuf_free(&text);
    int result = list(admin_reader(request), key, REFUSALS_SHOWN, add_paragraph, &showing);
    admin_output_end(showing.out);
    if (result == 1)
        result = add_refusals(request, list, key);
    admin_finish_read(request, result);
}

/* --- entries --- */

/* Before it was taken it may have been refused, as often as it came. 0: it was not, or there is no such entry. */
static int add_earlier_refusals(struct admin_request *request, const char *message_id)
{
    struct showing showing = { .out = request->output };
    int64_t count = count_refusals(request, store_refusal_list_of_message, message_id);
    if (count <= 0 && !(count == 0 && request->json))
        return (int)count;
    admin_output_list(showing.out, "refused_before");
    int result =
        store_refusal_list_of_message(admin_reader(request), message_id, REFUSALS_SHOWN, add_paragraph, &showing);
    admin_output_end(showing.out);
    return result == 1 ? add_refusals(request, store_refusal_list_of_message, message_id) : -1;
}

static int add_entry(struct admin_request *request, enum store_queue which, int64_t id)
{
    struct store_queue_summary summary;
    int found = store_queue_summarise(admin_reader(request), which, id, &summary);
    if (found != 1)
        return found;
    int earlier = which == STORE_QUEUE_IN ? add_earlier_refusals(request, summary.message_id) : 0;
    store_queue_summary_free(&summary);
    return earlier < 0 ? -1 : admin_queue_add_entry(request, which, id, true);
}

static void show_entry(struct admin_request *request, enum store_queue which, int64_t id)
{
    int found = add_entry(request, which, id);
    if (found == 1)
        admin_finish(request);
    else if (found == 0)
        admin_refuse(request, "there is no entry %s", request->argv[0]);
    else
        admin_database_error(request);
}

/* --- whatever it is --- */

/* "a1b2-7-1", a transaction's id, begins with its session's. */
static void cut_transaction(char *name)
{
    char *dash = strrchr(name, '-');
    if (dash && dash > name && strchr(name, '-') != dash)
        *dash = '\0';
}

/* What was refused. 1: answered; 0: nothing of it is known; -1. */
static int find_refusals(struct admin_request *request, char *name)
{
    static const struct {
        list_refusals *list;
        const char *about;
        bool is_cut;
    } ways[] = {
        { store_refusal_list_of_message, "Refused of the mail with the Message-ID", false },
        { store_refusal_list_of_session, "Refused in the session", false },
        { store_refusal_list_from, "Refused of what came from", false },
        { store_refusal_list_of_session, "Refused in the session", true },
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (ways[i].is_cut)
            cut_transaction(name);
        int64_t count = count_refusals(request, ways[i].list, name);
        if (count < 0)
            return -1;
        if (count == 0)
            continue;
        show_refusals(request, ways[i].list, name, ways[i].about);
        return 1;
    }
    return 0;
}

void admin_why(struct admin_request *request)
{
    enum store_queue which;
    int64_t id, inbound_id = 0, outbound_id = 0;
    if (queue_id_parse(request->argv[0], &which, &id) == 1) {
        show_entry(request, which, id);
        return;
    }
    char *name = without_brackets(request->argv[0]);
    int found = store_message_find_queue_ids(admin_reader(request), name, &inbound_id, &outbound_id);
    bool is_entry = found == 1 && (inbound_id || outbound_id);
    if (is_entry)
        show_entry(request, inbound_id ? STORE_QUEUE_IN : STORE_QUEUE_OUT, inbound_id ? inbound_id : outbound_id);
    else if (found >= 0)
        found = find_refusals(request, name);
    free(name);
    if (found < 0)
        admin_database_error(request);
    else if (found == 0)
        admin_refuse(
            request,
            "nothing is known of \"%s\": no message of that id, and nothing that was refused lately (expected an id "
            "such as in17, a Message-ID, a silo message id, a session's id from the log, or the address of an author)",
            request->argv[0]);
}
