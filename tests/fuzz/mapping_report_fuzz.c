/* Any mail is read as a report that the daemon would accept from a worker, and that says the same behind the wire. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_report.h"
#include "mapping/convert_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct convert_charsets *charsets; /* opening them takes longer than a run */
    if (!charsets)
        charsets = convert_charsets_new();
    struct convert_report_result report, back;
    struct strbuf before, after;
    const char *error;
    strbuf_init(&before, CONVERT_META_MAX);
    strbuf_init(&after, CONVERT_META_MAX);
    struct convert_input input = convert_input_of(data, size);
    convert_report_read(charsets, &input, &report);
    if ((report.kind == CONVERT_REPORT_OTHER) != (report.count == 0))
        abort();
    convert_wire_encode_report(&report, &before);
    if (convert_wire_decode_report(before.data, before.len, &back, &error) != 1)
        abort();
    convert_wire_encode_report(&back, &after);
    if (before.len != after.len || memcmp(before.data, after.data, before.len) != 0)
        abort();
    convert_report_free(&back);
    convert_report_free(&report);
    strbuf_free(&before);
    strbuf_free(&after);
    return 0;
}
