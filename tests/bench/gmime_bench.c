/* gmime_bench.c - GMime parses a mail and decodes its parts, again and again: `tests/bench/run convert`
 *
 *   gmime_bench SECONDS FILE
 *
 * What any program on GMime has to do at least before it converts anything: the structure, the header fields, texts as UTF-8 and
 * attachments as octets. Prints one line of JSON as convert_bench does. Compiled by convert_bench.py, where there is a GMime.
 */
#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_of(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void decode(GMimeObject *parent, GMimeObject *part, gpointer data)
{
    (void)parent;
    size_t *octets = data;
    if (GMIME_IS_TEXT_PART(part)) {
        char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
        *octets += text ? strlen(text) : 0;
        g_free(text);
    } else if (GMIME_IS_PART(part)) {
        GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
        GMimeStream *stream = g_mime_stream_mem_new();
        if (content && g_mime_data_wrapper_write_to_stream(content, stream) > 0)
            *octets += (size_t)g_mime_stream_length(stream);
        g_object_unref(stream);
    }
}

static size_t parse(const char *mail, size_t len)
{
    size_t octets = 0;
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(mail, len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    if (message) {
        const char *subject = g_mime_message_get_subject(message);
        octets += subject ? strlen(subject) : 0;
        g_mime_message_foreach(message, decode, &octets);
        g_object_unref(message);
    }
    g_object_unref(parser);
    g_object_unref(stream);
    return octets;
}

int main(int argc, char **argv)
{
    char *mail;
    gsize len;
    size_t octets = 0;
    unsigned long done = 0;
    if (argc != 3 || !g_file_get_contents(argv[2], &mail, &len, NULL))
        return 64;
    g_mime_init();
    double started = seconds_of(CLOCK_MONOTONIC), processor = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    double until = started + strtod(argv[1], NULL);
    while (seconds_of(CLOCK_MONOTONIC) < until) {
        octets += parse(mail, len);
        done++;
    }
    printf("{\"messages\": %lu, \"bytes\": %zu, \"seconds\": %.4f, \"daemon_seconds\": %.4f, \"worker_seconds\": 0}\n",
           done, (size_t)len, seconds_of(CLOCK_MONOTONIC) - started, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - processor);
    g_free(mail);
    return octets > 0 ? 0 : 1;
}
