#include "gateway/verify_wire.h"

#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

/* Numbers in front, strings behind, each with its NUL. */
struct request_head {
    int64_t offset, size, now;
    uint32_t strings;
};

struct answer_head {
    uint8_t dmarc, dkim, is_sender_spf_pass;
};

enum { FIXED_STRINGS = 6, ANSWER_STRINGS = 4 };

static void put_string(struct strbuf *out, const char *text)
{
    strbuf_add(out, text, strlen(text) + 1);
}

/* The next string; NULL: there is none. */
static const char *next_string(const char **at, const char *end)
{
    const char *start = *at;
    const char *nul = start < end ? memchr(start, '\0', (size_t)(end - start)) : NULL;
    if (!nul)
        return NULL;
    *at = nul + 1;
    return start;
}

void verify_wire_put_request(const struct sender_auth_request *request, struct strbuf *out)
{
    const struct request_head head = { .offset = request->offset,
                                       .size = request->size,
                                       .now = request->now,
                                       .strings = FIXED_STRINGS + (uint32_t)request->sealer_count };
    strbuf_add(out, &head, sizeof head);
    put_string(out, request->client);
    put_string(out, request->helo);
    put_string(out, request->sender.local);
    put_string(out, request->sender.domain);
    put_string(out, request->from_domain);
    put_string(out, request->hostname);
    for (size_t i = 0; i < request->sealer_count; i++)
        put_string(out, request->sealers[i]);
}

int verify_wire_read_request(const void *data, size_t len, struct sender_auth_request *request_out,
                             const char *sealers[static VERIFY_SEALERS_MAX])
{
    struct request_head head;
    const char *strings[FIXED_STRINGS + VERIFY_SEALERS_MAX];
    const char *at = (const char *)data + sizeof head;
    const char *end = (const char *)data + len;
    memset(request_out, 0, sizeof *request_out);
    if (len < sizeof head)
        return -1;
    memcpy(&head, data, sizeof head);
    if (head.strings < FIXED_STRINGS || head.strings > FIXED_STRINGS + VERIFY_SEALERS_MAX)
        return -1;
    for (uint32_t i = 0; i < head.strings; i++)
        if (!(strings[i] = next_string(&at, end)))
            return -1;
    if (at != end || strlen(strings[2]) > SMTP_LOCAL_MAX || strlen(strings[3]) > SMTP_DOMAIN_MAX)
        return -1;
    *request_out = (struct sender_auth_request){ .fd = -1,
                                                 .offset = head.offset,
                                                 .size = head.size,
                                                 .now = head.now,
                                                 .client = strings[0],
                                                 .helo = strings[1],
                                                 .from_domain = strings[4],
                                                 .hostname = strings[5],
                                                 .sealers = sealers,
                                                 .sealer_count = head.strings - FIXED_STRINGS };
    memcpy(request_out->sender.local, strings[2], strlen(strings[2]) + 1);
    memcpy(request_out->sender.domain, strings[3], strlen(strings[3]) + 1);
    for (size_t i = 0; i < request_out->sealer_count; i++)
        sealers[i] = strings[FIXED_STRINGS + i];
    return 1;
}

void verify_wire_put_answer(const struct sender_auth_result *result, struct strbuf *out)
{
    const struct answer_head head = { .dmarc = (uint8_t)result->dmarc,
                                      .dkim = (uint8_t)result->dkim,
                                      .is_sender_spf_pass = result->is_sender_spf_pass };
    strbuf_add(out, &head, sizeof head);
    put_string(out, result->sealer);
    put_string(out, result->outcome);
    put_string(out, result->story);
    put_string(out, result->text);
}

static bool copy_text(const char *text, char *out, size_t size)
{
    size_t len = text ? strlen(text) : size;
    if (len >= size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    memcpy(out, text, len + 1);
    return true;
}

int verify_wire_read_answer(const void *data, size_t len, struct sender_auth_result *result_out)
{
    struct answer_head head;
    const char *strings[ANSWER_STRINGS];
    const char *at = (const char *)data + sizeof head;
    const char *end = (const char *)data + len;
    memset(result_out, 0, sizeof *result_out);
    if (len < sizeof head)
        return -1;
    memcpy(&head, data, sizeof head);
    for (size_t i = 0; i < ANSWER_STRINGS; i++)
        strings[i] = next_string(&at, end);
    if (at != end || head.dmarc > AUTH_RESULT_OTHER || head.dkim > AUTH_RESULT_OTHER || head.is_sender_spf_pass > 1 ||
        !copy_text(strings[0], result_out->sealer, sizeof result_out->sealer) ||
        !copy_text(strings[1], result_out->outcome, sizeof result_out->outcome) ||
        !copy_text(strings[2], result_out->story, sizeof result_out->story) ||
        !copy_text(strings[3], result_out->text, sizeof result_out->text)) {
        memset(result_out, 0, sizeof *result_out);
        return -1;
    }
    result_out->dmarc = (enum auth_result)head.dmarc;
    result_out->dkim = (enum auth_result)head.dkim;
    result_out->is_sender_spf_pass = head.is_sender_spf_pass;
    return 1;
}
