/* What a worker that was taken over may say: whatever is believed holds together. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/convert_limits.h"
#include "mapping/convert_report.h"
#include "mapping/convert_wire.h"
#include "smtp/smtp_address.h"

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
        if (sum != CONTENT || !*message.subject || strlen(message.excerpt) > CONVERT_EXCERPT_MAX)
            abort();
        for (size_t i = 0; i < message.other_count; i++) {
            if (!strchr(message.others[i], '@') || strpbrk(message.others[i], "\r\n"))
                abort();
        }
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
    struct convert_report_result report;
    if (convert_wire_decode_report(data, size, &report, &error) == 1) {
        if ((report.kind == CONVERT_REPORT_OTHER) != (report.count == 0))
            abort();
        for (size_t i = 0; i < report.count; i++) {
            if (strpbrk(report.recipients[i].diagnostic, "\r\n") || strpbrk(report.recipients[i].address, "\r\n"))
                abort();
        }
        convert_report_free(&report);
    }
    if (convert_wire_decode_request(data, size, &request) == 1) {
        for (size_t i = 0; i < request.options.known_count; i++) {
            if (strlen(request.options.known[i]) > SMTP_ADDRESS_MAX)
                abort();
        }
        convert_wire_free_request(&request);
    }
    return 0;
}
