/* Words to the gateway: what is understood is whole; and one strange word in a line of its own undoes all of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/concierge_words.h"
#include "smtp/smtp_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct concierge_order *order)
{
    struct smtp_address address;
    if (order->verb >= CONCIERGE_VERB_COUNT || order->number < 0 || (order->number && order->address[0]))
        abort();
    if (order->address[0] && smtp_address_parse(order->address, strlen(order->address), &address) != 1)
        abort();
    if (!smtp_text_is_clean_utf8(order->phrase, strlen(order->phrase)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct concierge_names names = { .gateway = "Email Gateway", .author = "Alice Member" };
    static const char strange[] = "frobnicate\n\n";
    struct concierge_words words;
    bool understood = concierge_words_read((const char *)data, size, &names, &words);
    if (understood ? words.why[0] != 0 : words.count > 0 || !words.why[0])
        abort();
    for (size_t i = 0; i < words.count; i++)
        check(&words.orders[i]);
    char *more = xmalloc(size + sizeof strange);
    memcpy(more, strange, strlen(strange));
    memcpy(more + strlen(strange), data, size);
    if (concierge_words_read(more, size + strlen(strange), &names, &words))
        abort();
    free(more);
    return 0;
}
