/* Fuzzing arc_sets: what is taken for a chain is whole, and nobody is trusted who is not listed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/arc_sets.h"
#include "smtp/mail_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const trusted[] = { "lists.example" };
    struct mail_header_facts facts;
    struct arc_set sets[ARC_SETS_MAX];
    mail_header_scan((const char *)data, size, &facts);
    size_t count = arc_sets_read(&facts, sets);
    require(count <= ARC_SETS_MAX &&
            (count == 0 || (count == facts.arc_seal_count && count == facts.arc_result_count)));
    for (size_t i = 0; i < count; i++)
        require(sets[i].sealer[0] != '\0' && sets[i].results != NULL);
    const struct arc_set *oldest = arc_sets_find_trusted(sets, count, trusted, 1);
    require(!oldest || (oldest >= sets && oldest < sets + count));
    for (const struct arc_set *set = oldest; set && set < sets + count; set++)
        require(strcmp(set->sealer, "lists.example") == 0);
    mail_header_facts_free(&facts);
    return 0;
}
