#include "smtp/mail_header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "smtp/mail_header_internal.h"

enum { VALUES_MAX = 50 };

/* The ids of References fields are met first to last, but the last ones matter: a ring keeps those. */
struct id_ring {
    char *ids[MAIL_HEADER_REFERENCES_MAX];
    size_t pushed; /* ever; the newest is in slot (pushed - 1) % MAIL_HEADER_REFERENCES_MAX */
};

struct scan {
    const char *data;
    size_t len; /* of the data that may be looked at */
    size_t at;
    struct mail_header_facts *facts;

    size_t field_count;
    bool has_end;  /* the empty line was met */
    bool has_crlf; /* line ends met; a header has one kind */
    bool has_bare_lf;
    bool is_dubious;     /* something that other programs may split into other fields than we do */
    bool has_blank_fold; /* a line of nothing but white space: some take it for the end of the header */
    bool is_generated;   /* says that a program wrote it */
    bool is_bulk;        /* sent to many, or an old program's answer */
    bool is_list;        /* by way of a mailing list, whatever people write there */
    unsigned from_count, message_id_count;
    struct id_ring in_reply_to, references;
};

/* The next line without its end. 1 read, 0 there is none. */
static int read_line(struct scan *scan, const char **line_out, size_t *len_out)
{
    if (scan->at == scan->len)
        return 0;
    const char *line = scan->data + scan->at;
    size_t rest = scan->len - scan->at;
    const char *lf = memchr(line, '\n', rest);
    size_t len = lf == NULL ? rest : (size_t)(lf - line);
    scan->at += lf == NULL ? rest : len + 1;
    if (lf != NULL && len > 0 && line[len - 1] == '\r') {
        scan->has_crlf = true;
        len--;
    } else if (lf != NULL) {
        scan->has_bare_lf = true;
    }
    if (memchr(line, '\0', len) != NULL || memchr(line, '\r', len) != NULL)
        scan->is_dubious = true;
    *line_out = line;
    *len_out = len;
    return 1;
}

static bool is_all_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!mail_header_is_blank(text[i]))
            return false;
    }
    return true;
}

/* Appends the lines that continue the field. Unfolding takes the line ends out and leaves the white space. */
static void read_continuations(struct scan *scan, struct strbuf *value)
{
    while (scan->at < scan->len && mail_header_is_blank(scan->data[scan->at])) {
        const char *line;
        size_t len;
        if (read_line(scan, &line, &len) != 1)
            return;
        if (is_all_blank(line, len))
            scan->has_blank_fold = true;
        strbuf_add(value, line, len);
    }
}

/* Length of the field name that ends in a colon, without the white space that may stand before the colon (obsolete, but
 * nobody may hide a From field behind it); 0 when the line is no field. */
static size_t field_name_size(const char *line, size_t len, size_t *colon_out)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return 0;
    *colon_out = (size_t)(colon - line);
    size_t name_len = *colon_out;
    while (name_len > 0 && mail_header_is_blank(line[name_len - 1]))
        name_len--;
    for (size_t i = 0; i < name_len; i++) {
        if (line[i] <= ' ' || line[i] > '~')
            return 0;
    }
    return name_len;
}

static void push_id(struct id_ring *ring, const char *id, size_t len)
{
    char **slot = &ring->ids[ring->pushed % MAIL_HEADER_REFERENCES_MAX];
    free(*slot);
    *slot = xstrndup(id, len);
    ring->pushed++;
}

static size_t kept_ids(const struct id_ring *ring)
{
    return ring->pushed < MAIL_HEADER_REFERENCES_MAX ? ring->pushed : MAIL_HEADER_REFERENCES_MAX;
}

/* Takes the id over: into the result, or away if it is there already or there is no more room. */
static void add_reference(struct mail_header_facts *facts, char *id)
{
    for (size_t i = 0; i < facts->reference_count; i++) {
        if (strcmp(facts->references[i], id) == 0) {
            free(id);
            return;
        }
    }
    if (facts->reference_count == MAIL_HEADER_REFERENCES_MAX) {
        free(id);
        return;
    }
    if (facts->references == NULL)
        facts->references = xcalloc(MAIL_HEADER_REFERENCES_MAX, sizeof *facts->references);
    facts->references[facts->reference_count++] = id;
}

static void collect_references(struct scan *scan)
{
    for (size_t i = 0; i < kept_ids(&scan->in_reply_to); i++)
        add_reference(scan->facts, scan->in_reply_to.ids[i]);
    for (size_t i = 0; i < kept_ids(&scan->references); i++)
        add_reference(scan->facts,
                      scan->references.ids[(scan->references.pushed - 1 - i) % MAIL_HEADER_REFERENCES_MAX]);
}

static void add_value(char ***values, size_t *count, const char *value, size_t len)
{
    if (*count == VALUES_MAX || memchr(value, '\0', len) != NULL)
        return;
    if (*values == NULL)
        *values = xcalloc(VALUES_MAX, sizeof **values);
    (*values)[(*count)++] = xstrndup(value, len);
}

/* The first word of a value, comments aside, is one of the words given (NULL-terminated). */
static bool first_word_is_one_of(const char *value, size_t len, const char *const *words)
{
    const char *at = value;
    const char *end = value + len;
    if (mail_header_skip_cfws(&at, end) != 1)
        return false;
    size_t word_len = 0;
    while (at + word_len < end && mail_header_is_atext(at[word_len]))
        word_len++;
    for (; *words != NULL; words++) {
        if (strlen(*words) == word_len && strncasecmp(at, *words, word_len) == 0)
            return true;
    }
    return false;
}

/* Goes on behind the word, when that is what comes next, comments aside. */
static bool next_is(const char **at, const char *end, const char *word)
{
    size_t len = strlen(word);
    if (mail_header_skip_cfws(at, end) != 1 || (size_t)(end - *at) < len || strncasecmp(*at, word, len) != 0)
        return false;
    *at += len;
    return *at == end || **at == '/' || !mail_header_is_atext(**at);
}

static void on_from(struct scan *scan, const char *value, size_t len)
{
    bool is_clear =
        ++scan->from_count == 1 && !scan->has_blank_fold && mail_header_parse_from(value, len, &scan->facts->from) == 1;
    scan->facts->from_state = is_clear ? MAIL_HEADER_FROM_OK : MAIL_HEADER_FROM_AMBIGUOUS;
}

static void on_message_id(struct scan *scan, const char *value, size_t len)
{
    free(scan->facts->message_id);
    scan->facts->message_id = NULL;
    if (++scan->message_id_count > 1)
        return;
    const char *at = value;
    const char *end = value + len;
    const char *id;
    size_t id_len;
    bool starts_with_id = mail_header_skip_cfws(&at, end) == 1 && at < end && *at == '<';
    const char *start = at;
    /* Nothing may stand between the start and the id found, and only comments after it. */
    if (starts_with_id && mail_header_next_id(&at, end, &id, &id_len) == 1 && id == start + 1 &&
        mail_header_skip_cfws(&at, end) == 1 && at == end)
        scan->facts->message_id = xstrndup(id, id_len);
}

static void on_in_reply_to(struct scan *scan, const char *value, size_t len)
{
    const char *at = value;
    const char *id;
    size_t id_len;
    while (scan->in_reply_to.pushed < MAIL_HEADER_REFERENCES_MAX &&
           mail_header_next_id(&at, value + len, &id, &id_len) == 1)
        push_id(&scan->in_reply_to, id, id_len);
}

static void on_references(struct scan *scan, const char *value, size_t len)
{
    const char *at = value;
    const char *id;
    size_t id_len;
    while (mail_header_next_id(&at, value + len, &id, &id_len) == 1)
        push_id(&scan->references, id, id_len);
}

static void on_received(struct scan *scan, const char *value, size_t len)
{
    (void)value;
    (void)len;
    scan->facts->received_count++;
}

/* RFC 3834 section 5: whatever stands there but "no" (its parameters aside) was not typed by a person. */
static void on_auto_submitted(struct scan *scan, const char *value, size_t len)
{
    static const char *const by_hand[] = { "no", "", NULL };
    if (!first_word_is_one_of(value, len, by_hand))
        scan->is_generated = true;
}

static void on_precedence(struct scan *scan, const char *value, size_t len)
{
    static const char *const replies[] = { "auto_reply", "auto-reply", NULL };
    static const char *const bulk[] = { "bulk", "junk", NULL };
    static const char *const lists[] = { "list", NULL };
    scan->is_generated = scan->is_generated || first_word_is_one_of(value, len, replies);
    scan->is_bulk = scan->is_bulk || first_word_is_one_of(value, len, bulk);
    scan->is_list = scan->is_list || first_word_is_one_of(value, len, lists);
}

/* Fields of programs that answer by themselves, from before there was Auto-Submitted or beside it. */
static void on_generated(struct scan *scan, const char *value, size_t len)
{
    static const char *const nothing[] = { "none", "no", "false", "0", "", NULL };
    if (!first_word_is_one_of(value, len, nothing))
        scan->is_generated = true;
}

/* Of qmail's autoresponders, which put it in front of what they send. */
static void on_delivered_to(struct scan *scan, const char *value, size_t len)
{
    static const char mark[] = "autoresponder";
    if (len == sizeof mark - 1 && strncasecmp(value, mark, len) == 0)
        scan->is_generated = true;
}

/* RFC 6522: delivery reports, receipts (RFC 8098), complaints (RFC 5965). */
static void on_content_type(struct scan *scan, const char *value, size_t len)
{
    static const char type[] = "multipart", subtype[] = "report";
    const char *at = value;
    const char *end = value + len;
    if (!next_is(&at, end, type) || mail_header_skip_cfws(&at, end) != 1 || at == end || *at++ != '/')
        return;
    if (next_is(&at, end, subtype))
        scan->is_generated = true;
}

static void on_list(struct scan *scan, const char *value, size_t len)
{
    (void)value;
    (void)len;
    scan->is_list = true;
}

static void on_auth_results(struct scan *scan, const char *value, size_t len)
{
    add_value(&scan->facts->auth_results, &scan->facts->auth_results_count, value, len);
}

static void on_arc_seal(struct scan *scan, const char *value, size_t len)
{
    add_value(&scan->facts->arc_seals, &scan->facts->arc_seal_count, value, len);
}

static void on_arc_results(struct scan *scan, const char *value, size_t len)
{
    add_value(&scan->facts->arc_results, &scan->facts->arc_result_count, value, len);
}

static void on_loop_mark(struct scan *scan, const char *value, size_t len)
{
    add_value(&scan->facts->loop_marks, &scan->facts->loop_mark_count, value, len);
}

static const struct field {
    const char *name;
    void (*on_value)(struct scan *scan, const char *value, size_t len); /* unfolded, without white space around it */
    bool is_exact; /* the value is empty if white space stands before the colon */
} fields[] = {
    { "From", on_from },
    { "Message-ID", on_message_id },
    { "In-Reply-To", on_in_reply_to },
    { "References", on_references },
    { "Received", on_received },
    { "Authentication-Results", on_auth_results, true },
    { "ARC-Seal", on_arc_seal, true },
    { "ARC-Authentication-Results", on_arc_results, true },
    { "X-Postern-Loop", on_loop_mark },
    { "Auto-Submitted", on_auto_submitted },
    { "Precedence", on_precedence },
    { "X-Precedence", on_precedence },
    { "X-Autoreply", on_generated },
    { "X-Autorespond", on_generated },
    { "X-Autoresponder", on_generated },
    { "X-Auto-Responder", on_generated },
    { "X-AutoReply-From", on_generated },
    { "X-Mail-Autoreply", on_generated },
    { "X-FC-MachineGenerated", on_generated }, /* FirstClass */
    { "Delivered-To", on_delivered_to },
    { "Content-Type", on_content_type },
    { "List-Id", on_list }, /* RFC 2919, and RFC 2369 for the rest */
    { "List-Help", on_list },
    { "List-Unsubscribe", on_list },
    { "List-Subscribe", on_list },
    { "List-Post", on_list },
    { "List-Owner", on_list },
    { "List-Archive", on_list },
};

static const struct field *find_field(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strlen(fields[i].name) == len && strncasecmp(fields[i].name, name, len) == 0)
            return &fields[i];
    }
    return NULL;
}

static void handle_value(struct scan *scan, const struct field *field, const struct strbuf *value)
{
    const char *text = value->data;
    size_t len = value->len;
    while (len > 0 && mail_header_is_blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && mail_header_is_blank(text[len - 1]))
        len--;
    field->on_value(scan, text, len);
}

/* Reads one field. 1 there may be more; 0 that was the end of the header, or of what may be read of it. */
static int read_field(struct scan *scan, struct strbuf *value)
{
    const char *line;
    size_t len;
    if (read_line(scan, &line, &len) != 1)
        return 0;
    if (len == 0) {
        scan->has_end = true;
        return 0;
    }
    if (++scan->field_count > MAIL_HEADER_FIELDS_MAX)
        return 0;
    size_t colon = 0;
    size_t name_len = field_name_size(line, len, &colon);
    if (name_len == 0) {
        scan->is_dubious = true; /* some end the header here, others go on */
        return 1;
    }
    strbuf_clear(value);
    strbuf_add(value, line + colon + 1, len - colon - 1);
    read_continuations(scan, value);
    const struct field *field = find_field(line, name_len);
    if (field == NULL)
        return 1;
    if (field->is_exact && name_len != colon)
        strbuf_clear(value); /* others may not take it for this field: then it says nothing here */
    handle_value(scan, field, value);
    return 1;
}

/* A mailbox file's separator ("From bob@example.com Mon Nov 23 ...") may have come along in front. */
static void skip_mbox_line(struct scan *scan)
{
    static const char mark[] = "From ";
    if (scan->len < sizeof mark - 1 || memcmp(scan->data, mark, sizeof mark - 1) != 0)
        return;
    const char *line;
    size_t len;
    size_t colon = 0;
    if (read_line(scan, &line, &len) == 1 && field_name_size(line, len, &colon) > 0)
        scan->at = 0; /* no separator but a field: "From : bob@example.com" */
}

void mail_header_scan(const char *data, size_t len, struct mail_header_facts *facts_out)
{
    memset(facts_out, 0, sizeof *facts_out);
    facts_out->from_state = MAIL_HEADER_FROM_MISSING;
    struct scan scan = { .data = data, .len = len < MAIL_HEADER_MAX ? len : MAIL_HEADER_MAX, .facts = facts_out };
    struct strbuf value;
    strbuf_init(&value, MAIL_HEADER_MAX);

    skip_mbox_line(&scan);
    while (read_field(&scan, &value) == 1)
        ;
    facts_out->too_long = !scan.has_end && (scan.field_count > MAIL_HEADER_FIELDS_MAX || len >= MAIL_HEADER_MAX);
    facts_out->header_size = scan.at;
    collect_references(&scan);
    facts_out->is_generated = scan.is_generated || (scan.is_bulk && !scan.is_list);
    facts_out->is_automatic = scan.is_generated || scan.is_bulk || scan.is_list;

    /* What we could not read to its end, or what others may read otherwise, proves nothing about its author. */
    bool is_dubious = scan.is_dubious || facts_out->too_long || (scan.has_crlf && scan.has_bare_lf);
    if (is_dubious)
        facts_out->from_state = MAIL_HEADER_FROM_AMBIGUOUS;
    strbuf_free(&value);
}

static void free_values(char **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    free(values);
}

void mail_header_facts_free(struct mail_header_facts *facts)
{
    free(facts->message_id);
    free_values(facts->references, facts->reference_count);
    free_values(facts->auth_results, facts->auth_results_count);
    free_values(facts->arc_seals, facts->arc_seal_count);
    free_values(facts->arc_results, facts->arc_result_count);
    free_values(facts->loop_marks, facts->loop_mark_count);
    memset(facts, 0, sizeof *facts);
}
