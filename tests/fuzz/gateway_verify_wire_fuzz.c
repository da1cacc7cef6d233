/* Fuzzing verify_wire: an answer that is taken is whole and clean, whatever a worker in strange hands says. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/verify_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_clean(const char *text, size_t size)
{
    require(memchr(text, '\0', size) != NULL);
    for (; *text; text++)
        require(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sender_auth_result result;
    struct sender_auth_request request;
    const char *sealers[VERIFY_SEALERS_MAX];
    if (verify_wire_read_answer(data, size, &result) == 1)
        require(auth_result_name(result.dmarc) && auth_result_name(result.dkim));
    else
        require(result.dmarc == AUTH_RESULT_NONE && result.dkim == AUTH_RESULT_NONE && !result.is_sender_spf_pass);
    require_clean(result.sealer, sizeof result.sealer);
    require_clean(result.story, sizeof result.story);
    require_clean(result.text, sizeof result.text);
    if (verify_wire_read_request(data, size, &request, sealers) == 1)
        require(request.sealer_count <= VERIFY_SEALERS_MAX);
    return 0;
}
