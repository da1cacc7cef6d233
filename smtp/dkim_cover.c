/* dkim_cover.c - what a signature covers of the header, see dkim_check.h */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/dkim_check.h"
#include "smtp/mail_header.h"

enum { COVERED_MAX = 13, CANONICAL_SPARE = 16 };

/* Fields that a mail has once (RFC 5322 section 3.6, RFC 2045 section 3). Of several, each program shows another one. */
static const struct covered {
    const char *name;
    bool is_needed; /* if it is there: nobody signs without it who signs at all */
} covered[COVERED_MAX] = {
    { "From", true },
    { "Subject", true },
    { "Date", true },
    { "Sender", false },
    { "Reply-To", false },
    { "To", false },
    { "Cc", false },
    { "Message-ID", false },
    { "In-Reply-To", false },
    { "References", false },
    { "MIME-Version", false },
    { "Content-Type", false },
    { "Content-Transfer-Encoding", false },
};

/* How many fields of a name there are that say different things: one that says the same once more changes nothing. */
static size_t count_fields(const struct dkim_check *check, const char *name)
{
    size_t first, count = dkim_message_find(check->message, name, strlen(name), &first), others = 0;
    struct strbuf one, other;
    if (count < 2)
        return count;
    strbuf_init(&one, check->message->header.len);
    strbuf_init(&other, check->message->header.len);
    dkim_canonical_field(&one, check->message->by_name[first]->text, check->message->by_name[first]->len);
    for (size_t i = 1; i < count; i++) {
        strbuf_clear(&other);
        dkim_canonical_field(&other, check->message->by_name[first + i]->text, check->message->by_name[first + i]->len);
        others += one.len != other.len || memcmp(one.data, other.data, one.len) != 0;
    }
    strbuf_free(&one);
    strbuf_free(&other);
    return others > 0 ? count : 1;
}

/* How often h= names each of them. false: it is no list of names, or names what it may not. */
static bool count_names(const struct dkim_check *check, size_t counts[static COVERED_MAX])
{
    struct dkim_text rest = check->names, name;
    while (dkim_text_next(&rest, &name) == 1) {
        if (name.len == 0 || (check->kind == DKIM_CHECK_ARC_MESSAGE && dkim_text_is(name, "ARC-Seal")))
            return false;
        for (size_t i = 0; i < name.len; i++) {
            if (name.data[i] <= ' ' || name.data[i] > '~')
                return false;
        }
        for (size_t i = 0; i < COVERED_MAX; i++)
            counts[i] += dkim_text_is(name, covered[i].name);
    }
    return true;
}

/* For the verdict of a signature that passes in the end. */
static void note_uncovered(struct dkim_check *check, const char *name)
{
    char *detail = check->verdict.detail;
    size_t len = strlen(detail);
    snprintf(detail + len, sizeof check->verdict.detail - len, "%s%s", len > 0 ? ", " : "not signed: ", name);
}

int dkim_check_cover(struct dkim_check *check)
{
    size_t counts[COVERED_MAX] = { 0 };
    if (check->message->is_dubious)
        return dkim_check_decide(check, AUTH_RESULT_OTHER, "policy", "programs may read the header in several ways");
    if (!count_names(check, counts))
        return dkim_check_decide(check, AUTH_RESULT_OTHER, "neutral", "h= is no list of fields");
    if (counts[0] == 0)
        return dkim_check_decide(check, AUTH_RESULT_PERMERROR, auth_result_name(AUTH_RESULT_PERMERROR),
                                 "From is not signed");
    for (size_t i = 0; i < COVERED_MAX; i++) {
        size_t fields = count_fields(check, covered[i].name);
        if (fields <= counts[i])
            continue;
        if (covered[i].is_needed && counts[i] == 0)
            return dkim_check_decide(check, AUTH_RESULT_OTHER, "policy", "%s is not signed", covered[i].name);
        if (fields > 1)
            return dkim_check_decide(check, AUTH_RESULT_OTHER, "policy",
                                     "%s is there %zu times, of which %zu are signed", covered[i].name, fields,
                                     counts[i]);
        note_uncovered(check, covered[i].name);
    }
    return 1;
}

static void add_field(const struct dkim_check *check, const struct dkim_field *field, struct digest *digest,
                      struct strbuf *scratch)
{
    if (check->header_form == DKIM_SIMPLE) {
        digest_add(digest, field->text, field->len);
    } else {
        strbuf_clear(scratch);
        dkim_canonical_field(scratch, field->text, field->len);
        digest_add(digest, scratch->data, scratch->len);
    }
    digest_add(digest, "\r\n", 2);
}

/* The one that comes next for a name, from the bottom; NULL when there is none left. Never the field of the signature itself. */
static const struct dkim_field *take_field(const struct dkim_check *check, struct dkim_text name, uint16_t *taken)
{
    size_t first, count = dkim_message_find(check->message, name.data, name.len, &first);
    while (count > 0 && taken[first] < count) {
        const struct dkim_field *field = check->message->by_name[first + count - 1 - taken[first]];
        taken[first]++;
        if (field != check->field)
            return field;
    }
    return NULL;
}

void dkim_check_add_own_field(const struct dkim_check *check, struct strbuf *out)
{
    const struct dkim_field *field = check->field;
    struct dkim_text room = { field->text + field->len, 0 };
    struct strbuf whole;
    for (size_t i = 0; i < check->tags.count; i++) {
        if (check->tags.list[i].name.len == 1 && check->tags.list[i].name.data[0] == 'b')
            room = check->tags.list[i].room;
    }
    size_t before = (size_t)(room.data - field->text);
    strbuf_init(&whole, field->len);
    strbuf_add(&whole, field->text, before);
    strbuf_add(&whole, room.data + room.len, field->len - before - room.len);
    if (check->header_form == DKIM_SIMPLE)
        strbuf_add(out, whole.data, whole.len);
    else
        dkim_canonical_field(out, whole.data, whole.len);
    strbuf_free(&whole);
}

void dkim_check_digest_header(const struct dkim_check *check, uint8_t digest_out[static DIGEST_SIZE])
{
    uint16_t taken[MAIL_HEADER_FIELDS_MAX] = { 0 };
    struct digest *digest = digest_new();
    struct strbuf scratch;
    struct dkim_text rest = check->names, name;
    strbuf_init(&scratch, check->message->header.len + CANONICAL_SPARE);
    while (dkim_text_next(&rest, &name) == 1) {
        const struct dkim_field *field = take_field(check, name, taken);
        if (field)
            add_field(check, field, digest, &scratch);
    }
    strbuf_clear(&scratch);
    dkim_check_add_own_field(check, &scratch);
    digest_add(digest, scratch.data, scratch.len);
    digest_finish(&digest, digest_out);
    strbuf_free(&scratch);
}
