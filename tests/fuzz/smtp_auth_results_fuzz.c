/* Fuzzing auth_results: whatever is accepted is well-formed text, and a pass needs its domain. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/auth_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool contains(const uint8_t *data, size_t size, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= size; i++) {
        if (strncasecmp((const char *)data + i, word, len) == 0)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct auth_results results;
    if (auth_results_parse((const char *)data, size, &results) != 1) {
        require(results.count == 0 && (results.authserv_id[0] != '\0' || !results.id_is_plain));
        require(smtp_text_is_clean_utf8(results.authserv_id, strlen(results.authserv_id)));
        require(auth_results_dmarc(&results, "example.com") == AUTH_RESULT_NONE);
        require(auth_results_dkim(&results, "example.com") == AUTH_RESULT_NONE);
        return 0;
    }
    require(results.count <= AUTH_RESULTS_METHODS_MAX);
    require(smtp_text_is_clean_utf8(results.authserv_id, strlen(results.authserv_id)));
    for (size_t i = 0; i < results.count; i++) {
        const struct auth_results_method *method = &results.methods[i];
        require(auth_result_name(method->result) != NULL);
        require(smtp_text_is_clean_utf8(method->header_from, strlen(method->header_from)));
        require(smtp_text_is_clean_utf8(method->smtp_mailfrom, strlen(method->smtp_mailfrom)));
    }
    if (auth_results_dmarc(&results, "example.com") == AUTH_RESULT_PASS)
        require(contains(data, size, "dmarc") && contains(data, size, "pass") && contains(data, size, "from"));
    if (auth_results_dkim(&results, "example.com") == AUTH_RESULT_PASS)
        require(contains(data, size, "dkim") && contains(data, size, "pass") && contains(data, size, "example"));
    return 0;
}
