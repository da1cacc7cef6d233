/* Fuzzing sender_auth: whatever a mail and the DNS say, what we say of it is a field that can be read, and of printable ASCII. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "smtp/public_suffix.h"
#include "smtp/sender_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* The input's first line, as the only TXT record of every name; nothing of any other type. */
static const struct dns_answer *ask_input(const char *name, enum dns_type type, void *ctx)
{
    static const struct dns_answer nothing = { .outcome = DNS_NO_DATA };
    require(strlen(name) <= DNS_NAME_MAX + 1);
    return type == DNS_TXT ? ctx : &nothing;
}

static void require_printable(const char *text)
{
    for (; *text; text++)
        require(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sealers[] = { "lists.example" };
    static struct public_suffixes *suffixes;
    static int fd = -1;
    if (!suffixes) {
        suffixes = public_suffixes_new();
        fd = memfd_create("mail", MFD_CLOEXEC);
    }
    const uint8_t *end = memchr(data, '\n', size);
    size_t first = end ? (size_t)(end - data) : size;
    size_t len = end ? size - first - 1 : 0;
    const struct dns_record record = { .len = first, .data = (const char *)data };
    struct dns_answer answer = { .outcome = DNS_FOUND, .count = 1, .records = &record };
    require(ftruncate(fd, 0) == 0 && (len == 0 || pwrite(fd, end + 1, len, 0) == (ssize_t)len));
    const struct sender_auth_request request = {
        .fd = fd,
        .size = (int64_t)len,
        .client = "192.0.2.1",
        .helo = "mx.example.com",
        .sender = { .local = "bob", .domain = "example.com" },
        .from_domain = "mail.example.com",
        .hostname = "gw.example.org",
        .sealers = sealers,
        .sealer_count = 1,
        .now = INT64_C(1793600000000),
    };
    struct sender_auth_result result;
    struct auth_results parsed;
    require(sender_auth_check(&request, suffixes, ask_input, &answer, &result) == 1);
    require_printable(result.text);
    require_printable(result.story);
    require_printable(result.outcome);
    require(auth_results_parse(result.text, strlen(result.text), &parsed) == 1);
    require(strcmp(parsed.authserv_id, "gw.example.org") == 0);
    if (result.dmarc == AUTH_RESULT_PASS && !result.sealer[0])
        require(auth_results_dmarc(&parsed, "mail.example.com") == AUTH_RESULT_PASS);
    return 0;
}
