/* arc_verify.c - see arc_verify.h */
#include "smtp/arc_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "smtp/dkim_check.h"
#include "smtp/mail_header_internal.h"

enum arc_part { ARC_RESULTS, ARC_MESSAGE, ARC_SEAL, ARC_PARTS };

static const char *const part_names[ARC_PARTS] = { "ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal" };

struct chain {
    const struct dkim_message *message;
    dns_ask *ask;
    void *ask_ctx;
    int64_t now;
    struct arc_verdict *verdict;
    size_t count;
    const struct dkim_field *sets[ARC_INSTANCES_MAX][ARC_PARTS];
};

/* Always -1. */
static int say(struct chain *chain, enum auth_result result, const char *what, size_t instance, const char *why)
{
    struct arc_verdict *verdict = chain->verdict;
    verdict->result = result;
    if (instance > 0)
        snprintf(verdict->detail, sizeof verdict->detail, "%s %zu: %s", what, instance, why);
    else
        snprintf(verdict->detail, sizeof verdict->detail, "%s", what);
    return -1;
}

static int say_fail(struct chain *chain, const char *what, size_t instance, const char *why)
{
    return say(chain, AUTH_RESULT_FAIL, what, instance, why);
}

/* A field's value with its lines joined; caller frees. */
static char *unfold(const struct dkim_field *field)
{
    struct strbuf value;
    strbuf_init(&value, field->len);
    for (size_t i = field->value; i < field->len; i++) {
        if (field->text[i] != '\r' && field->text[i] != '\n')
            strbuf_add_char(&value, field->text[i]);
    }
    return strbuf_detach(&value);
}

static bool skip_char(const char **at, const char *end, char c)
{
    if (mail_header_skip_cfws(at, end) != 1 || *at == end || **at != c)
        return false;
    (*at)++;
    return mail_header_skip_cfws(at, end) == 1;
}

/* "i=1;" in front, which is no tag list (section 4.1.1). 0: it is not there. What is behind goes to *rest_out. */
static size_t read_results_instance(const char *value, const char **rest_out)
{
    const char *at = value, *end = value + strlen(value);
    uint64_t instance;
    if (!(skip_char(&at, end, 'i') || skip_char(&at, end, 'I')) || !skip_char(&at, end, '='))
        return 0;
    struct dkim_text digits = { at, strspn(at, "0123456789") };
    at += digits.len;
    if (dkim_text_to_number(digits, &instance) != 1 || !skip_char(&at, end, ';'))
        return 0;
    *rest_out = at;
    return (size_t)instance;
}

static size_t read_instance(const struct dkim_field *field, enum arc_part part)
{
    struct dkim_tags tags;
    uint64_t instance = 0;
    if (part != ARC_RESULTS) {
        if (dkim_tags_parse(field->text + field->value, field->len - field->value, &tags) != 1 ||
            dkim_text_to_number(dkim_tags_find(&tags, "i"), &instance) != 1)
            return 0;
        return (size_t)instance;
    }
    const char *rest;
    char *value = unfold(field);
    instance = read_results_instance(value, &rest);
    free(value);
    return (size_t)instance;
}

/* Sorts the fields of one kind into the sets. */
static int collect(struct chain *chain, enum arc_part part)
{
    size_t first, count = dkim_message_find(chain->message, part_names[part], strlen(part_names[part]), &first);
    for (size_t i = 0; i < count; i++) {
        const struct dkim_field *field = chain->message->by_name[first + i];
        size_t instance = read_instance(field, part);
        if (instance == 0)
            return say_fail(chain, "a field has no instance", 0, NULL);
        if (instance > ARC_INSTANCES_MAX)
            return say_fail(chain, "too many instances", 0, NULL);
        if (chain->sets[instance - 1][part])
            return say_fail(chain, "instance", instance, "a field is there twice");
        chain->sets[instance - 1][part] = field;
        if (instance > chain->count)
            chain->count = instance;
    }
    return 1;
}

static int check_sets(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        for (size_t part = 0; part < ARC_PARTS; part++) {
            if (!chain->sets[i][part])
                return say_fail(chain, "instance", i + 1, "a field is missing");
        }
    }
    return 1;
}

static struct dkim_check begin_check(const struct chain *chain, size_t index, enum arc_part part)
{
    return (struct dkim_check){ .message = chain->message,
                                .field = chain->sets[index][part],
                                .kind = part == ARC_SEAL ? DKIM_CHECK_ARC_SEAL : DKIM_CHECK_ARC_MESSAGE,
                                .ask = chain->ask,
                                .ask_ctx = chain->ask_ctx,
                                .now = chain->now };
}

/* What a set says, before anything of it is checked with a key. */
static int read_set(struct chain *chain, size_t index)
{
    struct arc_instance *instance = &chain->verdict->instances[index];
    const char *results;
    char *value = unfold(chain->sets[index][ARC_RESULTS]);
    if (read_results_instance(value, &results) > 0)
        instance->auth_results = xstrdup(results);
    free(value);

    struct dkim_check message = begin_check(chain, index, ARC_MESSAGE);
    if (dkim_check_read(&message) != 1)
        return say_fail(chain, "signature", index + 1, message.verdict.detail);
    memcpy(instance->signer, message.verdict.domain, sizeof instance->signer);

    struct dkim_check seal = begin_check(chain, index, ARC_SEAL);
    if (dkim_check_read(&seal) != 1)
        return say_fail(chain, "seal", index + 1, seal.verdict.detail);
    memcpy(instance->sealer, seal.verdict.domain, sizeof instance->sealer);
    struct dkim_text cv = dkim_tags_find(&seal.tags, "cv");
    if (dkim_tags_find(&seal.tags, "h").data)
        return say_fail(chain, "seal", index + 1, "it names fields (h=)");
    if (dkim_text_is(cv, "fail"))
        return say_fail(chain, "seal", index + 1, "it says that the chain was broken before");
    if (!dkim_text_is(cv, index == 0 ? "none" : "pass"))
        return say_fail(chain, "seal", index + 1, "cv= is not what it must be");
    return 1;
}

static int read_sets(struct chain *chain)
{
    chain->verdict->instances = xcalloc(chain->count, sizeof *chain->verdict->instances);
    chain->verdict->count = chain->count;
    for (size_t i = 0; i < chain->count; i++) {
        if (read_set(chain, i) != 1)
            return -1;
    }
    return 1;
}

static int conclude(struct chain *chain, const char *what, size_t index, const struct dkim_verdict *verdict)
{
    if (verdict->result == AUTH_RESULT_PASS)
        return 1;
    return say(chain, verdict->result == AUTH_RESULT_TEMPERROR ? AUTH_RESULT_TEMPERROR : AUTH_RESULT_FAIL, what,
               index + 1, verdict->detail);
}

static int check_message(struct chain *chain, size_t index)
{
    uint8_t digest[DIGEST_SIZE];
    struct dkim_check check = begin_check(chain, index, ARC_MESSAGE);
    if (dkim_check_read(&check) == 1 && dkim_check_cover(&check) == 1 && dkim_check_time(&check) == 1 &&
        dkim_check_body(&check) == 1) {
        dkim_check_digest_header(&check, digest);
        dkim_check_signature(&check, digest);
    }
    return conclude(chain, "signature", index, &check.verdict);
}

static void add_field(const struct chain *chain, size_t index, enum arc_part part, struct strbuf *out)
{
    dkim_canonical_field(out, chain->sets[index][part]->text, chain->sets[index][part]->len);
    strbuf_add_str(out, "\r\n");
}

/* sets: all fields up to the seal, each with its line end (section 5.1.1). The seal follows, to be sealed by the next one. */
static int check_seal(struct chain *chain, size_t index, struct strbuf *sets)
{
    uint8_t digest_value[DIGEST_SIZE];
    size_t len = sets->len;
    struct dkim_check check = begin_check(chain, index, ARC_SEAL);
    if (dkim_check_read(&check) == 1) {
        struct digest *digest = digest_new();
        dkim_check_add_own_field(&check, sets);
        digest_add(digest, sets->data, sets->len);
        digest_finish(&digest, digest_value);
        strbuf_truncate(sets, len);
        dkim_check_signature(&check, digest_value);
    }
    add_field(chain, index, ARC_SEAL, sets);
    return conclude(chain, "seal", index, &check.verdict);
}

static int check_seals(struct chain *chain)
{
    int result = 1;
    struct strbuf sets;
    strbuf_init(&sets, chain->message->header.len);
    for (size_t i = 0; i < chain->count && result == 1; i++) {
        add_field(chain, i, ARC_RESULTS, &sets);
        add_field(chain, i, ARC_MESSAGE, &sets);
        result = check_seal(chain, i, &sets);
    }
    strbuf_free(&sets);
    return result;
}

static void judge(struct chain *chain)
{
    for (size_t part = 0; part < ARC_PARTS; part++) {
        if (collect(chain, (enum arc_part)part) != 1)
            return;
    }
    if (chain->count == 0 || check_sets(chain) != 1 || read_sets(chain) != 1)
        return;
    if (check_message(chain, chain->count - 1) != 1 || check_seals(chain) != 1)
        return;
    chain->verdict->result = AUTH_RESULT_PASS;
}

void arc_verify(const struct dkim_message *message, dns_ask *ask, void *ask_ctx, int64_t now,
                struct arc_verdict *verdict_out)
{
    struct chain chain = { .message = message, .ask = ask, .ask_ctx = ask_ctx, .now = now, .verdict = verdict_out };
    *verdict_out = (struct arc_verdict){ .result = AUTH_RESULT_NONE };
    judge(&chain);
}

void arc_verdict_free(struct arc_verdict *verdict)
{
    for (size_t i = 0; i < verdict->count; i++)
        free(verdict->instances[i].auth_results);
    free(verdict->instances);
    *verdict = (struct arc_verdict){ 0 };
}
