#include "smtp/smtp_xtext.h"

int smtp_xtext_digit(char c, enum smtp_xtext_digits digits)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return digits == SMTP_XTEXT_ANY_CASE && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int smtp_xtext_octet(const char *text, size_t len, enum smtp_xtext_digits digits, size_t *used_out)
{
    if (len == 0)
        return -1;
    *used_out = 1;
    if (text[0] != '+')
        return (unsigned char)text[0];
    int high = len < 3 ? -1 : smtp_xtext_digit(text[1], digits);
    int low = len < 3 ? -1 : smtp_xtext_digit(text[2], digits);
    if (high < 0 || low < 0)
        return -1;
    *used_out = 3;
    return 16 * high + low;
}
