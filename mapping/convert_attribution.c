#include "mapping/convert_attribution.h"

size_t convert_attribution_match(const struct convert_attribution_line *lines, size_t count,
                                 enum convert_attribution *kind_out)
{
    (void)lines;
    (void)count;
    *kind_out = CONVERT_ATTRIBUTION_NONE;
    return 0;
}
enum convert_attribution convert_attribution_of(const char *text, size_t len)
{
    (void)text;
    (void)len;
    return CONVERT_ATTRIBUTION_NONE;
}
bool convert_attribution_is_field(const char *text, size_t len)
{
    (void)text;
    (void)len;
    return false;
}
