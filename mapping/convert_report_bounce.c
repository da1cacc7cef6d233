#include "mapping/convert_report_internal.h"

bool convert_report_is_delay(const char *subject, const char *text)
{
    (void)subject;
    (void)text;
    return false;
}

void convert_report_read_bounce(const char *subject, const char *text, const char *failed,
                                struct convert_report_result *result)
{
    (void)subject;
    (void)text;
    (void)failed;
    (void)result;
}
