/* What a worker that was taken over may say: whatever is believed holds together. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/convert_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { CONTENT = 1000 };
    struct convert_in_message message;
    struct convert_out_job job;
    struct convert_wire_request request;
    const char *error;
    if (convert_wire_decode_in(data, size, CONTENT, &message, &error) == 1) {
        int64_t sum = message.body_size;
        for (size_t i = 0; i < message.attachment_count; i++) {
            if (message.attachments[i].size < 0 || strncmp(message.attachments[i].name, "u:", 2) != 0)
                abort();
            sum += message.attachments[i].size;
        }
        if (sum != CONTENT || !*message.subject)
            abort();
        convert_in_message_free(&message);
    }
    if (convert_wire_decode_out(data, size, CONTENT, &job) == 1) {
        size_t sum = job.body_size;
        for (size_t i = 0; i < job.attachment_count; i++)
            sum += job.attachments[i].size;
        if (sum != CONTENT)
            abort();
        convert_wire_free_out(&job);
    }
    (void)!convert_wire_decode_request(data, size, &request);
    return 0;
}
