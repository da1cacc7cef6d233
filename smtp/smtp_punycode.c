#include "smtp/smtp_punycode.h"

#include <stdint.h>
#include <string.h>

#include "smtp/smtp_parser.h"

/* RFC 3492 section 5 */
enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, INITIAL_BIAS = 72, INITIAL_N = 128 };

struct label {
    uint32_t points[SMTP_LABEL_MAX];
    size_t count;
    char *out;
    size_t len;
    bool is_full;
};

static void put(struct label *label, char c)
{
    if (label->len == SMTP_LABEL_MAX)
        label->is_full = true;
    else
        label->out[label->len++] = c;
}

static uint32_t decode_point(const char *text, size_t len)
{
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t point = (unsigned char)text[0] & first_bits[len];
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)text[i] & 0x3f);
    return point;
}

static int read_points(struct label *label, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t length = smtp_utf8_sequence(text + at, len - at);
        if (length == 0 || label->count == SMTP_LABEL_MAX)
            return -1;
        uint32_t point = decode_point(text + at, length);
        label->points[label->count++] = point >= 'A' && point <= 'Z' ? point - 'A' + 'a' : point;
        at += length;
    }
    return 1;
}

/* RFC 3492 section 6.1 */
static uint32_t adapt(uint32_t delta, uint32_t count, bool is_first)
{
    uint32_t k = 0;
    delta /= is_first ? DAMP : 2;
    for (delta += delta / count; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
        delta /= BASE - T_MIN;
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

/* A variable-length integer. */
static void put_delta(struct label *label, uint32_t delta, uint32_t bias)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (uint32_t k = BASE;; k += BASE) {
        uint32_t threshold = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
        if (delta < threshold) {
            put(label, digits[delta]);
            return;
        }
        put(label, digits[threshold + (delta - threshold) % (BASE - threshold)]);
        delta = (delta - threshold) / (BASE - threshold);
    }
}

static uint32_t next_point(const struct label *label, uint32_t least)
{
    uint32_t next = UINT32_MAX;
    for (size_t i = 0; i < label->count; i++) {
        if (label->points[i] >= least && label->points[i] < next)
            next = label->points[i];
    }
    return next;
}

/* RFC 3492 section 6.3. Nothing overflows: 63 characters of 21 bits each need 27 bits. */
static void encode(struct label *label, uint32_t basic_count)
{
    uint32_t n = INITIAL_N, delta = 0, bias = INITIAL_BIAS, done = basic_count;
    while (done < label->count) {
        uint32_t next = next_point(label, n);
        delta += (next - n) * (done + 1);
        n = next;
        for (size_t i = 0; i < label->count; i++) {
            delta += label->points[i] < n;
            if (label->points[i] != n)
                continue;
            put_delta(label, delta, bias);
            bias = adapt(delta, done + 1, done == basic_count);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
}

int smtp_punycode_encode_label(const char *label, size_t len, char out[static SMTP_LABEL_MAX + 1])
{
    static const char prefix[] = "xn--";
    struct label parts = { .out = out };
    memset(out, 0, SMTP_LABEL_MAX + 1);
    if (read_points(&parts, label, len) != 1)
        return -1;
    uint32_t basic_count = 0;
    for (size_t i = 0; i < parts.count; i++)
        basic_count += parts.points[i] < INITIAL_N;
    bool is_ascii = basic_count == parts.count;
    for (const char *c = prefix; *c && !is_ascii; c++)
        put(&parts, *c);
    for (size_t i = 0; i < parts.count; i++) {
        if (parts.points[i] < INITIAL_N)
            put(&parts, (char)parts.points[i]);
    }
    if (!is_ascii && basic_count > 0)
        put(&parts, '-');
    encode(&parts, basic_count);
    return parts.is_full ? -1 : 1;
}
